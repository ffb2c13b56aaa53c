// One setting as it was written, before anybody knows whether it makes sense, and how parameters become settings. The
// file's settings are read in ManifestFile.

/// A key with its value and the place of both.
struct Setting {
    enum Value {
        case text(String)
        /// Of `env` only: variables with the place of each.
        case variables([(name: String, text: String, place: ManifestError.Place)])
        /// Of keys that are lists: each text with its place.
        case texts([(text: String, place: ManifestError.Place)])
    }

    let key: ManifestKey
    let value: Value
    let place: ManifestError.Place
}

/// The parameters of a request as settings.
enum ManifestParameters {
    static func read(_ parameters: [(key: String, text: String)]) throws(ManifestError) -> [Setting] {
        var settings: [Setting] = []
        var seen: Set<ManifestKey> = []
        for (name, text) in parameters {
            guard let key = ManifestKey(rawValue: name) else {
                throw ManifestError(.parameter, key: shown(name), ManifestKey.unknown(name))
            }
            guard key == .env else {
                guard seen.insert(key).inserted else {
                    throw ManifestError(.parameter, key: name, "is given twice; give it once")
                }
                settings.append(Setting(key: key, value: .text(text), place: .parameter))
                continue
            }
            guard let split = text.firstIndex(of: "=") else {
                throw ManifestError(.parameter, key: name, "expected NAME=VALUE, such as env=LEVEL=debug")
            }
            let variable = (String(text[..<split]), String(text[text.index(after: split)...]))
            settings.append(
                Setting(key: key, value: .variables([(variable.0, variable.1, .parameter)]), place: .parameter))
        }
        return settings
    }
}

/// A piece of somebody's text as an error shows it: printable, and at most 60 characters.
func shown(_ text: String) -> String {
    let scalars = text.unicodeScalars.prefix(60).map { $0.properties.generalCategory == .control ? "?" : String($0) }
    return scalars.joined() + (text.unicodeScalars.count > 60 ? "…" : "")
}
