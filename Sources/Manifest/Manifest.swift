// function.yaml, and the same settings as parameters of the control API, turned into FunctionSettings. This room knows
// how settings are written; what they may be is Model's.

public import Model

/// Reads the settings of a function. Pure: no files, no defaults but those of ``FunctionSettings``.
public enum Manifest {
    /// A larger function.yaml is refused: 64 KiB.
    public static let bytesMax = 64 << 10

    /// All keys, in the order people write them. `env` is a mapping in the file, and as a parameter `env=NAME=VALUE`,
    /// which may be given several times. `egress` and `secrets` are lists in the file, and as a parameter one text with
    /// commas, such as `secrets=DB_PASSWORD,API_KEY`.
    public static let keys = ManifestKey.allCases.map(\.rawValue)

    /// Reads a function.yaml.
    /// - Throws: ``ManifestError`` with line and column of the first thing that is wrong.
    public static func parse(_ bytes: [UInt8]) throws(ManifestError) -> FunctionSettings {
        try settings(file: bytes, parameters: [])
    }

    /// Reads settings that were given as parameters alone.
    /// - Throws: ``ManifestError`` naming the parameter.
    public static func settings(from parameters: [(key: String, text: String)]) throws(ManifestError)
        -> FunctionSettings
    {
        try settings(file: nil, parameters: parameters)
    }

    /// Reads settings from a file and from parameters; a parameter overrides the file's value of its key, variables of
    /// `env` one by one.
    /// - Parameter file: the bytes of function.yaml, if there is one.
    /// - Throws: ``ManifestError``; also when the two together lack `name`, `runtime` or `handler`, or make a setting
    ///   that is out of its range.
    public static func settings(
        file: [UInt8]?, parameters: [(key: String, text: String)]
    ) throws(ManifestError) -> FunctionSettings {
        var draft = SettingsDraft()
        if let file {
            for setting in try ManifestFile.read(file) { try draft.set(setting) }
        }
        for setting in try ManifestParameters.read(parameters) { try draft.set(setting) }
        return try draft.settings()
    }
}
