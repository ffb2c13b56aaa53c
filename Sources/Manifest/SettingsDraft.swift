// Settings while they are gathered: which were given, where, and then all of them together. Texts become values here;
// ranges are checked by Model.

import Model

/// Gathers settings, later ones over earlier ones.
struct SettingsDraft {
    private var texts: [ManifestKey: (text: String, place: ManifestError.Place)] = [:]
    private var environment: [String: String] = [:]
    private var environmentPlace = ManifestError.Place.none

    mutating func set(_ setting: Setting) throws(ManifestError) {
        switch setting.value {
        case .text(let text): texts[setting.key] = (text, setting.place)
        case .variables(let variables):
            environmentPlace = setting.place
            for variable in variables { environment[variable.name] = variable.text }
        }
    }

    /// - Throws: ``ManifestError`` for the first setting, in the order of the keys, that is missing or wrong.
    func settings() throws(ManifestError) -> FunctionSettings {
        var settings = FunctionSettings(
            name: try name(), runtime: try required(.runtime, Self.word), handler: try handler())
        try set(.contract, \.contract, of: &settings, Self.word)
        try set(.memory, \.memory, of: &settings) { ByteCount($0) }
        try set(.timeout, \.timeout, of: &settings, DurationText.parse)
        try set(.concurrency, \.concurrency, of: &settings, Self.number)
        try set(.min, \.workersMin, of: &settings, Self.number)
        try set(.max, \.workersMax, of: &settings, Self.number)
        try setOptional(.queueLengthMax, \.queueLengthMaxSetting, of: &settings, Self.number)
        try setOptional(.bodyMax, \.bodyMaxSetting, of: &settings) { ByteCount($0) }
        try set(.idleTimeout, \.idleTimeout, of: &settings, DurationText.parse)
        try setOptional(.isolation, \.isolation, of: &settings, Self.word)
        try set(.description, \.description, of: &settings) { $0 }
        try set(.showErrors, \.showsErrors, of: &settings) { ["true": true, "false": false][$0] }
        settings.environment = environment
        do throws(SettingError) {
            try settings.check()
        } catch {
            let key = ManifestKey(rawValue: error.key)
            let place = key == .env ? environmentPlace : key.flatMap { texts[$0]?.place }
            throw ManifestError(place ?? .none, key: error.key, error.reason)
        }
        return settings
    }

    private func name() throws(ManifestError) -> FunctionName {
        let (text, place) = try given(.name)
        do throws(NameError) {
            return try FunctionName(text)
        } catch {
            throw ManifestError(place, key: "name", "\(error): '\(shown(text))'")
        }
    }

    private func handler() throws(ManifestError) -> String { try given(.handler).text }

    /// A setting that has no default.
    private func given(_ key: ManifestKey) throws(ManifestError) -> (text: String, place: ManifestError.Place) {
        if let found = texts[key] { return found }
        let example = [.name: "hello", .runtime: "python3", .handler: "main.handler"][key] ?? ""
        throw ManifestError(
            .none, key: key.rawValue,
            "is missing; write \(key.rawValue): \(example) in function.yaml, or give the parameter "
                + "\(key.rawValue)=\(example)")
    }

    private func required<Value>(
        _ key: ManifestKey, _ read: (String) -> Value?
    ) throws(ManifestError) -> Value {
        let (text, place) = try given(key)
        guard let value = read(text) else { throw Self.wrong(key, text, place) }
        return value
    }

    private func set<Value>(
        _ key: ManifestKey, _ property: WritableKeyPath<FunctionSettings, Value>, of settings: inout FunctionSettings,
        _ read: (String) -> Value?
    ) throws(ManifestError) {
        guard let (text, place) = texts[key] else { return }
        guard let value = read(text) else { throw Self.wrong(key, text, place) }
        settings[keyPath: property] = value
    }

    /// The same for a property that may be nil. Apart, because there a text that can't be read must not pass for nil.
    private func setOptional<Value>(
        _ key: ManifestKey, _ property: WritableKeyPath<FunctionSettings, Value?>, of settings: inout FunctionSettings,
        _ read: (String) -> Value?
    ) throws(ManifestError) {
        try set(key, property, of: &settings) { text in read(text).map { .some($0) } }
    }

    private static func wrong(_ key: ManifestKey, _ text: String, _ place: ManifestError.Place) -> ManifestError {
        let words =
            switch key {
            case .runtime: RuntimeName.allCases.map(\.rawValue)
            case .contract: Contract.allCases.map(\.rawValue)
            case .isolation: IsolationLevel.allCases.map(\.rawValue)
            case .showErrors: ["true", "false"]
            default: [String]()
            }
        let hint = Suggestion.nearest(to: text, among: words).map { "; did you mean '\($0)'?" } ?? ""
        let written = text.isEmpty ? "nothing" : "'\(shown(text))'"
        return ManifestError(place, key: key.rawValue, "expected \(key.expectation), not \(written)\(hint)")
    }

    private static func word<Word: RawRepresentable>(_ text: String) -> Word? where Word.RawValue == String {
        Word(rawValue: text)
    }

    /// 1 to 9 digits, so that no range check can overflow.
    private static func number(_ text: String) -> Int? {
        guard (1...9).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(text)
    }
}
