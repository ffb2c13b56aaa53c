// What projects own, as the Qinling API keeps it: rows of JSON that the store does not look into, the executions that
// projects asked for with input and result, and how many there ever were of each version.

internal import Foundation
public import Model

/// Something that a project owns.
public struct ResourceRow: Hashable, Sendable {
    public let kind: String
    public let id: String
    public let project: String
    /// JSON of the room that owns the kind.
    public let body: [UInt8]
    /// What the kinds of the Lambda API begin with; all others are the Qinling API's.
    public static let lambdaPrefix = "lambda-"

    public init(kind: String, id: String, project: String, body: [UInt8]) {
        self.kind = kind
        self.id = id
        self.project = project
        self.body = body
    }

    /// A row of a value.
    /// - Throws: what its encoder does.
    public init(kind: String, id: String, project: String, encoding value: some Encodable) throws {
        self.init(kind: kind, id: id, project: project, body: [UInt8](try JSONEncoder().encode(value)))
    }

    /// The value of a row.
    /// - Throws: ``StoreError`` `damaged`.
    public func decoded<Value: Decodable>(as type: Value.Type) throws(StoreError) -> Value {
        do { return try JSONDecoder().decode(type, from: Data(body)) } catch {
            throw .damaged("\(kind) \(id) can't be read: \(error)")
        }
    }
}

/// An execution that a project asked for.
public struct ProjectExecution: Hashable, Sendable {
    public let id: ExecutionID
    public let project: String
    /// The id of the function.
    public let function: String
    /// 0 is the working copy.
    public let version: Int
    public let alias: String?
    public let description: String?
    public var status: String
    public let isSync: Bool
    /// The version of the catalog that it runs; 0 when there was none.
    public let build: Int
    public let input: String?
    public var result: String?
    public let createdAt: WallTime
    public var updatedAt: WallTime?

    public init(
        id: ExecutionID, project: String, function: String, version: Int, alias: String?, description: String?,
        status: String, isSync: Bool, build: Int, input: String?, createdAt: WallTime
    ) {
        self.id = id
        self.project = project
        self.function = function
        self.version = version
        self.alias = alias
        self.description = description
        self.status = status
        self.isSync = isSync
        self.build = build
        self.input = input
        self.createdAt = createdAt
    }
}

/// Which executions of projects to read.
public struct ProjectExecutionFilter: Hashable, Sendable {
    /// nil: of all projects.
    public var project: String?
    public var id: ExecutionID?

    public init(project: String? = nil, id: ExecutionID? = nil) {
        self.project = project
        self.id = id
    }
}

/// Everything that is kept in memory, read once.
public struct ResourceState: Sendable {
    public var rows: [ResourceRow] = []
    /// Executions that were promised and have not ended, oldest first.
    public var unfinished: [ProjectExecution] = []
    public var counts: [(function: String, version: Int, count: Int)] = []

    init() {}
}

/// Changes that happen together or not at all.
public struct ResourceChange: Sendable {
    /// Inserted, or put in the place of the row of the same kind and id.
    public var puts: [ResourceRow] = []
    public var deletes: [(kind: String, id: String)] = []
    /// New ones, which are counted.
    public var executions: [ProjectExecution] = []
    /// Those that have ended; one that was deleted meanwhile stays deleted.
    public var ended: [ProjectExecution] = []
    public var deletedExecutions: [ExecutionID] = []
    /// Whether a success may be told before it is on the disk.
    public var mayBeLost = false

    public init() {}
}

extension Store {
    /// Answers when the change is on the disk, or, where it may be lost, when it is in the database.
    public func change(_ change: ResourceChange, then: @escaping StoreAnswer<Void>) {
        let bytes = change.executions.reduce(0) { $0 + ($1.input?.utf8.count ?? 0) + ($1.result?.utf8.count ?? 0) }
        let rows = change.puts.count + change.executions.count + change.ended.count
        write(rows: rows, payloadBytes: bytes, mayBeLost: change.mayBeLost, { try $0.change(change) }, then: then)
    }

    public func projectExecutions(
        _ filter: ProjectExecutionFilter, then: @escaping StoreAnswer<[ProjectExecution]>
    ) {
        read({ try $0.projectExecutions(filter) }, then: then)
    }
}
