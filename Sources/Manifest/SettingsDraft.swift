// Settings while they are gathered: which were given, where, and then all of them together. Texts become values here;
// ranges are checked by Model.

import Model

/// Gathers settings, later ones over earlier ones.
struct SettingsDraft {
    private var texts: [ManifestKey: (text: String, place: ManifestError.Place)] = [:]
    private var lists: [ManifestKey: [(text: String, place: ManifestError.Place)]] = [:]
    private var environment: [String: String] = [:]
    /// Where each key was written last.
    private var places: [ManifestKey: ManifestError.Place] = [:]

    mutating func set(_ setting: Setting) throws(ManifestError) {
        places[setting.key] = setting.place
        switch setting.value {
        case .text(let text) where setting.key.isList:
            lists[setting.key] = Self.parts(of: text, at: setting.key.separator).map { ($0, setting.place) }
        case .text(let text): texts[setting.key] = (text, setting.place)
        case .texts(let texts): lists[setting.key] = texts
        case .variables(let variables):
            for variable in variables { environment[variable.name] = variable.text }
        }
    }

    /// What stands between the separators, without the blanks around it; nothing for an empty text.
    private static func parts(of text: String, at separator: Character) -> [String] {
        guard text.contains(where: { !$0.isWhitespace }) else { return [] }
        return text.split(separator: separator, omittingEmptySubsequences: false).map { part in
            var part = part
            while part.first?.isWhitespace == true { part.removeFirst() }
            while part.last?.isWhitespace == true { part.removeLast() }
            return String(part)
        }
    }

    /// - Throws: ``ManifestError`` for the first setting, in the order of the keys, that is missing or wrong.
    func settings() throws(ManifestError) -> FunctionSettings {
        let name = try name()
        let runtime: RuntimeName = try required(.runtime, Self.word)
        var settings = FunctionSettings(
            name: name, runtime: runtime, handler: try handler(of: runtime))
        try set(.contract, \.contract, of: &settings, Self.word)
        try set(.memory, \.memory, of: &settings) { ByteCount($0) }
        try set(.timeout, \.timeout, of: &settings, DurationText.parse)
        try set(.concurrency, \.concurrency, of: &settings, Self.number)
        try set(.min, \.workersMin, of: &settings, Self.number)
        try set(.max, \.workersMax, of: &settings, Self.number)
        try setOptional(.queueLengthMax, \.queueLengthMaxSetting, of: &settings, Self.number)
        try setOptional(.bodyMax, \.bodyMaxSetting, of: &settings) { ByteCount($0) }
        try setOptional(.idleTimeout, \.idleTimeout, of: &settings, DurationText.parse)
        try setOptional(.maxUses, \.usesMax, of: &settings, Self.number)
        try setOptional(.maxAge, \.ageMax, of: &settings, DurationText.parse)
        try setOptional(.isolation, \.isolation, of: &settings, Self.word)
        try set(.lifetime, \.lifetime, of: &settings, Self.word)
        try set(.tmp, \.scratchMax, of: &settings) { ByteCount($0) }
        try set(.processes, \.processesMax, of: &settings, Self.number)
        try set(.secretEnv, \.exportsSecrets, of: &settings, Self.flag)
        if let egress = try egress() { settings.egress = egress }
        if let secrets = try secrets() { settings.secrets = secrets }
        settings.warmWindows = try warmWindows()
        try set(.description, \.description, of: &settings) { $0 }
        try set(.showErrors, \.showsErrors, of: &settings, Self.flag)
        try setPromise(of: &settings)
        settings.environment = environment
        do throws(SettingError) {
            try settings.check()
        } catch {
            let place = ManifestKey(rawValue: error.key).flatMap { places[$0] }
            throw ManifestError(place ?? .none, key: error.key, error.reason)
        }
        return settings
    }

    private func setPromise(of settings: inout FunctionSettings) throws(ManifestError) {
        try setOptional(.retries, \.promise.retries, of: &settings, Self.number)
        try setOptional(.retryDelay, \.promise.retryDelay, of: &settings, DurationText.parse)
        try setOptional(.maxEventAge, \.promise.ageMax, of: &settings, DurationText.parse)
        try setOptional(.keepResult, \.promise.resultKept, of: &settings, DurationText.parse)
        try setOptional(.onSuccess, \.promise.onSuccess, of: &settings) { try? Destination($0) }
        try setOptional(.onFailure, \.promise.onFailure, of: &settings) { try? Destination($0) }
    }

    private func egress() throws(ManifestError) -> Egress? {
        guard let items = lists[.egress] else { return nil }
        guard let first = items.first else {
            throw ManifestError(
                places[.egress] ?? .none, key: ManifestKey.egress.rawValue,
                "expected \(ManifestKey.egress.expectation), not nothing")
        }
        // `none` and `open` stand for themselves.
        if items.count == 1, let word = Egress(word: first.text) { return word }
        var targets: [EgressTarget] = []
        for (text, place) in items {
            guard Egress(word: text) == nil else {
                throw ManifestError(place, key: "egress", "'\(text)' stands alone, without targets beside it")
            }
            do throws(SettingError) {
                targets.append(try EgressTarget(text))
            } catch {
                // What can't be shown, and what looks like neither a target nor a word, is answered with all there is.
                guard text.contains(":"), text == shown(text) else { throw Self.wrong(.egress, text, place) }
                throw ManifestError(place, key: error.key, error.reason)
            }
        }
        return .proxy(targets)
    }

    private func warmWindows() throws(ManifestError) -> [WarmWindow] {
        var windows: [WarmWindow] = []
        for (text, place) in lists[.warm] ?? [] {
            do throws(SettingError) {
                windows.append(try WarmWindow(text))
            } catch {
                throw ManifestError(place, key: error.key, error.reason)
            }
        }
        return windows
    }

    private func secrets() throws(ManifestError) -> [SecretName]? {
        guard let items = lists[.secrets] else { return nil }
        var names: [SecretName] = []
        for (text, place) in items {
            do throws(SecretNameError) {
                names.append(try SecretName(text))
            } catch {
                throw ManifestError(place, key: ManifestKey.secrets.rawValue, "\(error): '\(shown(text))'")
            }
        }
        return names
    }

    private func name() throws(ManifestError) -> FunctionName {
        let (text, place) = try given(.name)
        do throws(NameError) {
            return try FunctionName(text)
        } catch {
            throw ManifestError(place, key: "name", "\(error): '\(shown(text))'")
        }
    }

    private func handler(of runtime: RuntimeName) throws(ManifestError) -> String {
        if texts[.handler] == nil, let usual = runtime.defaultHandler { return usual }
        return try given(.handler).text
    }

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
            case .lifetime: WorkerLifetime.allCases.map(\.rawValue)
            case .egress: Egress.words
            case .showErrors, .secretEnv: ["true", "false"]
            default: [String]()
            }
        let hint = Suggestion.nearest(to: text, among: words).map { "; did you mean '\($0)'?" } ?? ""
        let written = text.isEmpty ? "nothing" : "'\(shown(text))'"
        return ManifestError(place, key: key.rawValue, "expected \(key.expectation), not \(written)\(hint)")
    }

    private static func word<Word: RawRepresentable>(_ text: String) -> Word? where Word.RawValue == String {
        Word(rawValue: text)
    }

    private static func flag(_ text: String) -> Bool? { ["true": true, "false": false][text] }

    /// 1 to 9 digits, so that no range check can overflow.
    private static func number(_ text: String) -> Int? {
        guard (1...9).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(text)
    }
}
