// The one list of everything that can go wrong for a caller. Codes are append-only; texts may change.

/// What went wrong, as one word that programs may match on.
public enum ProblemCode: String, CaseIterable, Sendable {
    case badRequest = "bad-request"
    case invalidSettings = "invalid-settings"
    case invalidPackage = "invalid-package"
    case invalidSchedule = "invalid-schedule"
    case handlerNotLoadable = "handler-not-loadable"
    case isolationUnavailable = "isolation-unavailable"
    case unauthorized = "unauthorized"
    case forbidden = "forbidden"
    case notFound = "not-found"
    case functionNotFound = "function-not-found"
    case versionNotFound = "version-not-found"
    case jobNotFound = "job-not-found"
    case executionNotFound = "execution-not-found"
    case secretNotFound = "secret-not-found"
    case methodNotAllowed = "method-not-allowed"
    case alreadyExists = "already-exists"
    case inUse = "in-use"
    case bodyTooLarge = "body-too-large"
    case queueFull = "queue-full"
    case functionRaised = "function-raised"
    case responseTooLarge = "response-too-large"
    case badResponse = "bad-response"
    case workerExited = "worker-exited"
    case outOfMemory = "out-of-memory"
    case workerProtocol = "worker-protocol"
    case workerNotStarted = "worker-not-started"
    case secretUnavailable = "secret-unavailable"
    case draining = "draining"
    case storeUnavailable = "store-unavailable"
    case timedOut = "timed-out"
    case cancelled = "cancelled"
    case diskFull = "disk-full"
    case expired = "expired"
    case keyReused = "key-reused"
    case notCancellable = "not-cancellable"
    case resultNotFound = "result-not-found"
    case internalFault = "internal-fault"

    /// The HTTP status a caller gets. Source: semantics of RFC 9110 §15.
    public var status: Int {
        switch self {
        case .badRequest, .invalidSchedule: 400
        case .invalidSettings, .invalidPackage, .handlerNotLoadable, .isolationUnavailable: 422
        case .unauthorized: 401
        case .forbidden: 403
        case .notFound, .functionNotFound, .versionNotFound, .jobNotFound, .executionNotFound, .secretNotFound,
            .resultNotFound:
            404
        case .methodNotAllowed: 405
        case .alreadyExists, .inUse, .keyReused, .notCancellable: 409
        case .bodyTooLarge: 413
        case .queueFull: 429
        case .functionRaised, .internalFault: 500
        case .responseTooLarge, .badResponse, .workerExited, .outOfMemory, .workerProtocol: 502
        case .workerNotStarted, .secretUnavailable, .draining, .storeUnavailable: 503
        case .timedOut, .expired: 504
        case .diskFull: 507
        case .cancelled: 499
        }
    }

    /// Whether the same request may succeed later without a change.
    public var isRetryable: Bool {
        switch self {
        case .queueFull, .workerExited, .workerNotStarted, .draining, .storeUnavailable, .timedOut, .diskFull: true
        default: false
        }
    }

    /// A few words that are the same for every case of this code.
    public var title: String {
        switch self {
        case .badRequest: "The request is malformed"
        case .invalidSettings: "A setting of the function is not valid"
        case .invalidPackage: "The package can't be used"
        case .invalidSchedule: "The schedule is not valid"
        case .handlerNotLoadable: "The handler can't be loaded"
        case .isolationUnavailable: "This host can't give the isolation asked for"
        case .unauthorized: "A valid token is needed"
        case .forbidden: "The token does not allow this"
        case .notFound: "There is nothing at this path"
        case .functionNotFound: "There is no such function"
        case .versionNotFound: "There is no such version"
        case .jobNotFound: "There is no such job"
        case .executionNotFound: "There is no such execution"
        case .secretNotFound: "There is no such secret"
        case .methodNotAllowed: "This path does not take this method"
        case .alreadyExists: "The name is taken"
        case .inUse: "Something else still uses it"
        case .bodyTooLarge: "The request body is too large"
        case .queueFull: "The function's queue is full"
        case .functionRaised: "The function raised an error"
        case .responseTooLarge: "The function's response is too large"
        case .badResponse: "The function's response can't be understood"
        case .workerExited: "The worker exited before it answered"
        case .outOfMemory: "The worker ran out of memory"
        case .workerProtocol: "The worker broke the protocol"
        case .workerNotStarted: "No worker could be started"
        case .secretUnavailable: "A secret of the function can't be read"
        case .draining: "The server is shutting down"
        case .storeUnavailable: "The store did not answer"
        case .timedOut: "The deadline passed"
        case .cancelled: "The execution was cancelled"
        case .diskFull: "The disk of the data folder is full"
        case .expired: "The execution became too old to begin"
        case .keyReused: "The Idempotency-Key belongs to another request"
        case .notCancellable: "The execution can't be cancelled"
        case .resultNotFound: "There is no result"
        case .internalFault: "Taibai made a mistake"
        }
    }
}

/// One thing that went wrong: the code, and this case in words and numbers. Never holds secrets or bodies.
public struct Problem: Error, Hashable, Sendable, CustomStringConvertible {
    public let code: ProblemCode
    /// What happened, where, and what to do about it.
    public let detail: String
    /// Seconds after which a retry makes sense; goes into `Retry-After`.
    public var retryAfterSeconds: Int?
    /// Of a function that raised or could not be loaded: the error's type and message, and its trace.
    public var functionError: FunctionError?

    public init(
        _ code: ProblemCode, _ detail: String, retryAfterSeconds: Int? = nil, functionError: FunctionError? = nil
    ) {
        self.code = code
        self.detail = detail
        self.retryAfterSeconds = retryAfterSeconds
        self.functionError = functionError
    }

    public var description: String { "\(code.rawValue): \(detail)" }
}

/// An error of the function's own code, as the function's language tells it.
public struct FunctionError: Hashable, Sendable, Codable {
    public var errorType: String
    public var errorMessage: String
    public var stackTrace: [String]

    public init(errorType: String, errorMessage: String, stackTrace: [String] = []) {
        self.errorType = errorType
        self.errorMessage = errorMessage
        self.stackTrace = stackTrace
    }
}
