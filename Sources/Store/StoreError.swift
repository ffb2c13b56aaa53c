// What the store may answer instead of a result. The cases are what a caller can act on; SQLite's or PostgreSQL's own
// words are kept as the cause.

public import Model

/// Something the store knows by name.
public enum StoreSubject: Hashable, Sendable, CustomStringConvertible {
    case function(FunctionName)
    case version(VersionKey)
    case alias(AliasName, of: FunctionName)
    case job(JobName)
    case jobID(ExecutionID)
    case execution(ExecutionID)
    case secret(SecretName)
    /// An execution that has ended as `dead`.
    case dead(ExecutionID)
    /// What an execution was called with.
    case input(ExecutionID)

    public var description: String {
        switch self {
        case .function(let name): "function '\(name)'"
        case .version(let key): "version '\(key)'"
        case .alias(let alias, let function): "alias '\(function)@\(alias)'"
        case .job(let name): "job '\(name)'"
        case .jobID(let id): "job \(id)"
        case .execution(let id): "execution \(id)"
        case .secret(let name): "secret '\(name)'"
        case .dead(let id): "dead letter \(id)"
        case .input(let id): "input of execution \(id)"
        }
    }
}

/// What the database itself said.
public struct DatabaseCause: Hashable, Sendable, CustomStringConvertible {
    /// The extended result code. Source: sqlite.org/rescode.html; 0 when the failure was not the database's.
    public let code: Int
    public let text: String

    public init(code: Int, text: String) {
        self.code = code
        self.text = text
    }

    public var description: String { code == 0 ? text : "\(text) (SQLite code \(code))" }
}

/// Why the store did not do what it was asked. After any of these nothing of the request is in the store.
public enum StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The database answered with an error that may pass: busy, I/O, memory.
    case unavailable(DatabaseCause)
    /// There is no room on the disk, or the quota is used up.
    case diskFull(DatabaseCause)
    /// More is waiting for the disk than ``StoreLimit`` allows.
    case overloaded(waiting: Int)
    /// The store is closed or closing.
    case closed
    /// The request contradicts what is stored, such as a second execution with the same id.
    case conflict(DatabaseCause)
    /// The key stands for another request, which became the execution `by`.
    case keyReused(key: String, by: ExecutionID)
    case alreadyExists(StoreSubject)
    case notFound(StoreSubject)
    case inUse(StoreSubject, by: String)
    /// One of ``StoreLimit``'s limits, in words.
    case limitReached(String)
    /// The data was written by a later Taibai. Nothing was changed.
    case tooNew(schema: Int, known: Int)
    /// Another server uses the folder; `owner` is its process id, as far as it could be read.
    case locked(directory: String, owner: String)
    /// A file or row is not what Taibai wrote.
    case damaged(String)
    /// The folder can't be made or opened.
    case directory(path: String, reason: String)

    public var description: String {
        switch self {
        case .unavailable(let cause): "the store did not answer: \(cause)"
        case .diskFull(let cause): "the disk of the data folder is full: \(cause); free space and repeat the request"
        case .overloaded(let waiting):
            "\(waiting) requests wait for the disk already; repeat the request later, or send fewer"
        case .closed: "the store is closed, because the server is shutting down"
        case .conflict(let cause): "the request contradicts what is stored: \(cause)"
        case .keyReused(let key, let id):
            "Idempotency-Key '\(key)' belongs to execution \(id), which had another request; send another key"
        case .alreadyExists(let subject): "\(subject) exists already"
        case .notFound(.execution(let id)):
            "there is no execution \(id): it is not known, its record was pruned, or it went well among so many that "
                + "not all were recorded"
        case .notFound(.input(let id)):
            "the input of execution \(id) is not kept: it went well, it ended too long ago, or somebody waited for it"
        case .notFound(let subject): "there is no \(subject)"
        case .inUse(let subject, let user): "\(subject) is still used by \(user); change or delete that first"
        case .limitReached(let text): text
        case .tooNew(let schema, let known):
            "the data folder has schema \(schema), this Taibai knows up to \(known): start the Taibai that wrote it, "
                + "or a later one; nothing was changed"
        case .locked(let directory, let owner):
            "another server (process \(owner)) uses the data folder \(directory): stop it, or give this one another "
                + "folder"
        case .damaged(let text): "the store is damaged: \(text); restore the data folder from a backup"
        case .directory(let path, let reason): "the data folder \(path) can't be used: \(reason)"
        }
    }

    /// The same for a caller of the API.
    public var problem: Problem {
        switch self {
        case .unavailable, .overloaded, .locked, .tooNew, .directory:
            Problem(.storeUnavailable, description, retryAfterSeconds: 1)
        case .diskFull: Problem(.diskFull, description, retryAfterSeconds: 5)
        case .keyReused: Problem(.keyReused, description)
        case .closed: Problem(.draining, description, retryAfterSeconds: 1)
        case .conflict, .alreadyExists: Problem(.alreadyExists, description)
        case .notFound(let subject): Problem(Self.missing(subject), description)
        case .inUse, .limitReached: Problem(.inUse, description)
        case .damaged: Problem(.internalFault, description)
        }
    }

    private static func missing(_ subject: StoreSubject) -> ProblemCode {
        switch subject {
        case .function: .functionNotFound
        case .version, .alias: .versionNotFound
        case .job, .jobID: .jobNotFound
        case .execution, .dead, .input: .executionNotFound
        case .secret: .secretNotFound
        }
    }
}
