// What a project owns, as it is kept: in memory while the server runs, as rows of JSON in the store. And as it is
// shown: exactly the fields that Qinling's clients know, nulls included.

internal import ControlAPI
internal import Model
internal import Store

/// A kind of resource.
protocol Resource: Codable, Sendable {
    static var kind: String { get }
    static var table: ReferenceWritableKeyPath<Registry, [String: Self]> { get }
    var id: String { get }
    /// What it is found by; ``id`` but for versions.
    var key: String { get }
    var project: String { get }
    var createdAt: WallTime { get }
}

extension Resource {
    var key: String { id }

    var row: ResourceRow {
        get throws(Fault) {
            do {
                return try ResourceRow(kind: Self.kind, id: key, project: project, encoding: self)
            } catch {
                throw Fault(500, "The \(Self.kind) could not be written: \(error)")
            }
        }
    }
}

/// When something was made and changed last.
struct Times: Codable, Sendable {
    let createdMilliseconds: Int64
    var updatedMilliseconds: Int64?

    init(_ now: WallTime) { createdMilliseconds = now.milliseconds }

    var created: WallTime { WallTime(milliseconds: createdMilliseconds) }
    var updated: JSON { .text(updatedMilliseconds.map { WallTime(milliseconds: $0).qinling }) }
    mutating func touch(_ now: WallTime) { updatedMilliseconds = now.milliseconds }
}

struct RuntimeResource: Resource {
    static let kind = "runtime"
    static var table: ReferenceWritableKeyPath<Registry, [String: Self]> { \.runtimes }
    let id, project: String
    var name, description: String?
    var image: String
    let isPublic, isTrusted: Bool
    var times: Times
    var createdAt: WallTime { times.created }

    /// The runtime of this host that an image stands for; nil when there is none.
    static func runtime(for image: String) -> RuntimeName? {
        image.lowercased().contains("python") ? .python3 : nil
    }

    func view(status: String? = nil) -> JSON {
        [
            "id": .text(id), "name": .text(name), "image": .text(image), "description": .text(description),
            "is_public": .bool(isPublic), "trusted": .bool(isTrusted),
            "status": .text(status ?? (Self.runtime(for: image) == nil ? "error" : "available")),
            "project_id": .text(project), "created_at": .text(times.created.qinling), "updated_at": times.updated,
        ]
    }
}

/// Where a function's code comes from.
struct Code: Codable, Hashable, Sendable {
    /// `package` or `image`.
    var source: String
    var md5, image: String?

    var view: JSON {
        source == "image"
            ? ["source": .text(source), "image": .text(image)] : ["source": .text(source), "md5sum": .text(md5)]
    }
}

struct FunctionResource: Resource {
    static let kind = "function"
    static var table: ReferenceWritableKeyPath<Registry, [String: Self]> { \.functions }
    static let cpuRange = 100...300
    static let memoryRange = 33_554_432...134_217_728
    static let timeoutRange = 1...300

    let id, project: String
    var name, description, runtime, entry: String?
    var cpu = 100
    var memory = 33_554_432
    var timeout = 5
    var code: Code
    /// The version of the catalog that is the working copy; nil for an image.
    var build: Int?
    /// The newest version there is, and the highest number that was ever given.
    var latestVersion = 0
    var lastNumber = 0
    var times: Times
    var createdAt: WallTime { times.created }

    /// What it is called in the catalog.
    var catalogName: FunctionName? {
        try? FunctionName(HiddenName.qinling.rawValue + id.filter { $0 != "-" })
    }

    /// What its next build is made with.
    func settings(_ name: FunctionName, isTrusted: Bool) -> FunctionSettings {
        var settings = FunctionSettings(name: name, runtime: .python3, handler: entry ?? "")
        settings.contract = .qinling
        settings.lifetime = .fresh
        // What one execution adds; the interpreter and what it has loaded come on top.
        settings.memory = ByteCount(bytes: memory + Self.interpreterBytes)
        settings.timeout = .seconds(timeout)
        settings.processesMax = 128
        if !isTrusted { settings.isolation = .sealed }
        settings.description = ""
        return settings
    }
    /// 64 MiB: a clone of the zygote has 25 MiB of its own where all its pages count (Python 3.11).
    static let interpreterBytes = 64 << 20

    /// - Parameter asText: lists show the code as text.
    func view(count: Int, codeAsText: Bool = false) -> JSON {
        [
            "id": .text(id), "name": .text(name), "description": .text(description), "cpu": .whole(cpu),
            "memory_size": .whole(memory), "timeout": .whole(timeout), "runtime_id": .text(runtime),
            "code": codeAsText ? .text(code.view.written) : code.view, "entry": .text(entry), "count": .whole(count),
            "latest_version": .whole(latestVersion), "project_id": .text(project),
            "created_at": .text(times.created.qinling), "updated_at": times.updated,
        ]
    }
}

struct VersionResource: Resource {
    static let kind = "version"
    static var table: ReferenceWritableKeyPath<Registry, [String: Self]> { \.versions }
    let id, project, function: String
    let number, build: Int
    var key: String { Registry.key(function, number) }
    let description: String?
    let code: Code
    /// In which of its runtimes' words it runs; frozen with the rest.
    let entry: String?
    var times: Times
    var createdAt: WallTime { times.created }

    func view(count: Int) -> JSON {
        [
            "id": .text(id), "description": .text(description), "function_id": .text(function),
            "version_number": .whole(number), "count": .whole(count), "project_id": .text(project),
            "created_at": .text(times.created.qinling), "updated_at": times.updated,
        ]
    }
}

struct AliasResource: Resource {
    static let kind = "alias"
    static var table: ReferenceWritableKeyPath<Registry, [String: Self]> { \.aliases }
    let id, project, name: String
    var description: String?
    var function: String
    var version: Int
    var times: Times
    var createdAt: WallTime { times.created }

    var view: JSON {
        [
            "id": .text(id), "name": .text(name), "description": .text(description), "function_id": .text(function),
            "function_version": .whole(version), "project_id": .text(project),
            "created_at": .text(times.created.qinling), "updated_at": times.updated,
        ]
    }
}

struct JobResource: Resource {
    static let kind = "job"
    static var table: ReferenceWritableKeyPath<Registry, [String: Self]> { \.jobs }
    let id, project: String
    var name: String?
    let function, alias: String?
    let version: Int?
    var input: String?
    /// `running`, `paused`, `cancelled` or `done`.
    var status = "running"
    var pattern: String?
    /// Executions left; nil means without end.
    var count: Int?
    let firstMilliseconds: Int64
    /// nil when it will not run any more.
    var nextMilliseconds: Int64?
    var times: Times
    var createdAt: WallTime { times.created }

    var isOver: Bool { status == "done" || status == "cancelled" }
    var next: WallTime? { nextMilliseconds.map(WallTime.init(milliseconds:)) }

    var view: JSON {
        [
            "id": .text(id), "name": .text(name), "function_id": .text(function), "function_alias": .text(alias),
            "function_version": version.map { .whole($0) } ?? .null, "function_input": .text(input),
            "status": .text(status), "pattern": .text(pattern), "count": count.map { .whole($0) } ?? .null,
            "first_execution_time": .text(WallTime(milliseconds: firstMilliseconds).qinling),
            "next_execution_time": .text(next?.qinling), "project_id": .text(project),
            "created_at": .text(times.created.qinling), "updated_at": times.updated,
        ]
    }
}

struct WebhookResource: Resource {
    static let kind = "webhook"
    static var table: ReferenceWritableKeyPath<Registry, [String: Self]> { \.webhooks }
    let id, project: String
    var function, alias: String?
    var version: Int?
    var description: String?
    var times: Times
    var createdAt: WallTime { times.created }

    func view(baseURL: String) -> JSON {
        [
            "id": .text(id), "function_id": .text(function), "function_alias": .text(alias),
            "function_version": version.map { .whole($0) } ?? .null, "description": .text(description),
            "project_id": .text(project), "created_at": .text(times.created.qinling), "updated_at": times.updated,
            "webhook_url": .text("\(baseURL)/v1/webhooks/\(id)/invoke"),
        ]
    }
}

/// A token that `taibai token create` made. The token itself is shown once and kept nowhere.
struct TokenResource: Resource {
    static let kind = "token"
    static var table: ReferenceWritableKeyPath<Registry, [String: Self]> { \.tokens }
    let id, project, hash, role: String
    let description: String?
    let expiresMilliseconds: Int64?
    var times: Times
    var createdAt: WallTime { times.created }

    var view: JSON {
        [
            "id": .text(id), "project_id": .text(project), "role": .text(role), "description": .text(description),
            "expires_at": .text(expiresMilliseconds.map { WallTime(milliseconds: $0).qinling }),
            "created_at": .text(times.created.qinling),
        ]
    }
}
