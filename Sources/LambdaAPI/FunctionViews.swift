// Functions as clients are shown them: the members of AWS's FunctionConfiguration.

internal import ControlAPI
internal import Model
internal import Store

extension FunctionResource {
    /// Where a function stands, as an answer tells it.
    enum Standing {
        /// Made just now: there, but not said to be.
        case creating, updating, settled
    }

    /// - Parameters:
    ///   - qualifier: what was asked for, which the ARN repeats.
    ///   - version: `$LATEST` or a number.
    func view(
        _ configuration: Configuration, version: String, qualifier: String?, _ caller: Caller,
        _ standing: Standing = .settled
    ) -> JSON {
        var members = Members()
        members.set("FunctionName", text: name)
        members.set("FunctionArn", text: caller.arn(name, qualifier))
        members.set("Runtime", text: configuration.runtime)
        members.set("Role", text: configuration.role)
        members.set("Handler", text: configuration.handler)
        members.set("CodeSize", whole: configuration.codeSize)
        members.set("Description", text: configuration.description)
        members.set("Timeout", whole: configuration.timeout)
        members.set("MemorySize", whole: configuration.memory)
        members.set("LastModified", text: WallTime(milliseconds: configuration.modifiedMilliseconds).lambda)
        members.set("CodeSha256", text: configuration.codeSHA256)
        members.set("Version", text: version)
        if let letter = configuration.deadLetter, !letter.isEmpty {
            members.set("DeadLetterConfig", ["TargetArn": .text(letter)])
        }
        if let environment = configuration.environment, !environment.isEmpty {
            members.set("Environment", ["Variables": .map(environment)])
        }
        members.set("KMSKeyArn", text: configuration.kmsKey)
        members.set("TracingConfig", ["Mode": .text(configuration.tracing)])
        members.set("RevisionId", text: configuration.revision)
        addStanding(to: &members, standing)
        members.set("PackageType", text: "Zip")
        members.set("Architectures", .texts([configuration.architecture]))
        members.set("EphemeralStorage", ["Size": .whole(configuration.ephemeral)])
        addEchoes(of: configuration, version, to: &members)
        members.set(
            "RuntimeVersionConfig", ["RuntimeVersionArn": .text(Self.runtimeARN(configuration.runtime, caller))])
        return members.json
    }

    static func runtimeARN(_ runtime: String, _ caller: Caller) -> String {
        "arn:aws:lambda:\(caller.region)::runtime:\(Hashing.sha256Text(runtime.utf8))"
    }

    private func addStanding(to members: inout Members, _ standing: Standing) {
        switch standing {
        case .creating:
            members.set("State", text: "Pending")
            members.set("StateReason", text: "The function is being created.")
            members.set("StateReasonCode", text: "Creating")
        case .updating:
            members.set("State", text: "Active")
            members.set("LastUpdateStatus", text: "InProgress")
            members.set("LastUpdateStatusReason", text: "The function is being created.")
            members.set("LastUpdateStatusReasonCode", text: "Creating")
        case .settled:
            members.set("State", text: "Active")
            members.set("LastUpdateStatus", text: "Successful")
        }
    }

    private func addEchoes(of configuration: Configuration, _ version: String, to members: inout Members) {
        func echo(_ name: String) -> JSON? { configuration.echoes[name].flatMap { JSON.parse(Array($0.utf8)) } }
        let applied = echo("SnapStart")?["ApplyOn"]?.text ?? "None"
        members.set("SnapStart", ["ApplyOn": .text(applied), "OptimizationStatus": .text("Off")])
        var logging = Members()
        let given = echo("LoggingConfig")
        logging.set("LogFormat", text: given?["LogFormat"]?.text ?? "Text")
        logging.set("ApplicationLogLevel", text: given?["ApplicationLogLevel"]?.text)
        logging.set("SystemLogLevel", text: given?["SystemLogLevel"]?.text)
        logging.set("LogGroup", text: given?["LogGroup"]?.text ?? "/aws/lambda/\(name)")
        members.set("LoggingConfig", logging.json)
    }

    /// What a qualifier leads to; nil when there is no such version.
    func view(_ qualifier: String?, _ caller: Caller, _ standing: Standing = .settled) -> JSON? {
        guard let configuration = configuration(qualifier) else { return nil }
        return view(configuration, version: number(qualifier), qualifier: qualifier, caller, standing)
    }

    /// `$LATEST` or the number of the version that a qualifier leads to.
    func number(_ qualifier: String?) -> String {
        guard let qualifier else { return FunctionNaming.latest }
        return aliases[qualifier]?.version ?? qualifier
    }

    /// By what versions stand in lists: numbers in their order, not in that of their digits.
    static func order(_ name: String, _ number: Int) -> String {
        let digits = String(number)
        return "\(name):" + String(repeating: "0", count: max(0, 10 - digits.utf8.count)) + digits
    }

    /// The versions as a list shows them: `$LATEST` first.
    func listed(_ caller: Caller) -> [(key: String, view: JSON)] {
        let latest = FunctionNaming.latest
        let frozen = versions.map { version in
            let number = String(version.number)
            return (
                Self.order("", version.number),
                view(version.configuration, version: number, qualifier: number, caller)
            )
        }
        return [("", view(live, version: latest, qualifier: latest, caller))] + frozen
    }
}
