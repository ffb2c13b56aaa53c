// The objects of the API, for its document. Each is made from the view that is sent, so a field can't be forgotten.

internal import ControlAPI
internal import Model
internal import Store

enum Schema {
    /// What a list of names of its fields looks like.
    static func pattern(ofFieldsIn list: String?) -> String {
        let object = objects.first { "\($0.0)List" == list }?.2
        guard case .object(let members)? = object else { return "" }
        let names = members.map(\.name).joined(separator: "|")
        return "^(\(names))(,(\(names)))*$"
    }

    /// Objects that lists are made of: name, the name of the list in its answer, and one as it is sent.
    private static var objects: [(String, String, JSON)] {
        [
            ("Runtime", "runtimes", sampleRuntime.view()), ("Function", "functions", sampleFunction.view(count: 0)),
            ("Version", "function_versions", sampleVersion.view(count: 0)),
            ("Alias", "function_aliases", sampleAlias.view),
            ("Execution", "executions", QinlingDoor.view(sampleExecution)), ("Job", "jobs", sampleJob.view),
            ("Webhook", "webhooks", sampleWebhook.view(baseURL: "http://localhost")),
            ("Token", "tokens", sampleToken.view),
            ("Worker", "workers", ["function_id": .text(""), "function_version": .whole(0), "worker_name": .text("")]),
        ]
    }

    /// Every object by name.
    static var all: [(name: String, value: JSON)] {
        var all: [(name: String, value: JSON)] = [
            ("Fault", object(["faultcode": .text(""), "faultstring": .text(""), "debuginfo": .null])),
            ("Versions", ["type": .text("object")]), ("Root", object(["uri": .text("")])),
            ("Document", ["type": .text("object")]), ("WebhookCall", object(["execution_id": .text("")])),
            ("Pool", ["type": .text("object")]), ("NewToken", ["type": .text("object")]),
        ]
        for (name, plural, view) in objects {
            all.append((name, object(view)))
            let list: JSON = ["type": .text("array"), "items": ["type": .text("object")]]
            all.append(
                (
                    "\(name)List",
                    [
                        "type": .text("object"), "required": .list([.text(plural)]),
                        "properties": .object([JSON.Member(name: plural, value: list)]),
                    ]
                ))
        }
        return all
    }

    private static func object(_ view: JSON) -> JSON {
        guard case .object(let members) = view else { return ["type": .text("object")] }
        let properties = members.map { member in
            let type: JSON =
                switch member.value {
                case .null, .text: .list([.text("string"), .text("null")])
                case .number: .list([.text("integer"), .text("null")])
                case .bool: .text("boolean")
                case .list: .text("array")
                case .object: .text("object")
                }
            // Whether a number is there is not seen in a sample without one.
            let open = member.value == .null && member.name != "debuginfo"
            return JSON.Member(name: member.name, value: open ? [:] : ["type": type])
        }
        return [
            "type": .text("object"), "properties": .object(properties),
            "required": .list(members.map { .text($0.name) }), "additionalProperties": .bool(false),
        ]
    }

    private static let id = "00000000-0000-4000-8000-000000000000"
    private static let times = Times(WallTime(seconds: 0))
    private static var sampleRuntime: RuntimeResource {
        RuntimeResource(
            id: id, project: "p", name: "n", description: "d", image: "python", isPublic: true, isTrusted: true,
            times: times)
    }
    private static var sampleFunction: FunctionResource {
        FunctionResource(
            id: id, project: "p", name: "n", description: "d", runtime: id, entry: "main.main",
            code: Code(source: "package"), times: times)
    }
    private static var sampleVersion: VersionResource {
        VersionResource(
            id: id, project: "p", function: id, number: 1, build: 1, description: "d", code: Code(source: "package"),
            entry: "main.main", times: times)
    }
    private static var sampleAlias: AliasResource {
        AliasResource(
            id: id, project: "p", name: "n", description: "d", function: id, version: 0, times: times)
    }
    private static var sampleJob: JobResource {
        JobResource(
            id: id, project: "p", name: "n", function: id, alias: nil, version: 0, input: nil, pattern: nil, count: 1,
            firstMilliseconds: 0, nextMilliseconds: 0, times: times)
    }
    private static var sampleWebhook: WebhookResource {
        WebhookResource(
            id: id, project: "p", function: id, alias: nil, version: 0, description: nil, times: times)
    }
    private static var sampleToken: TokenResource {
        TokenResource(
            id: id, project: "p", hash: "", role: "member", description: nil, expiresMilliseconds: nil, times: times)
    }
    private static var sampleExecution: ProjectExecution {
        ProjectExecution(
            id: ExecutionID(value: 0), project: "p", function: id, version: 0, alias: nil, description: nil,
            status: "running", isSync: true, build: 1, input: nil, createdAt: WallTime(seconds: 0))
    }
}
