// The HTTP trigger: requests for functions, as they are, to the engine and back. Knows paths and headers; knows nothing
// of workers or of what a function's contract makes of the request.

public import Dispatcher
public import HTTP
public import Model
public import WorkerPool

/// Turns HTTP requests into executions. On the loop's thread.
public final class FunctionDoor {
    /// Body of an asynchronous request, which is stored: 50 MiB, or the function's `bodyMax` where that is less.
    public static let asyncBodyBytesMax = 50 << 20
    private static let rootPath: ArraySlice<UInt8> = [UInt8(ascii: "/")]
    static let callPrefix = "/function/".utf8.count
    static let asyncPrefix = "/async-function/".utf8.count

    let engine: Engine

    public init(engine: Engine) { self.engine = engine }

    /// Serves `/function/…` and `/async-function/…`.
    /// - Returns: false when the path is neither; then nothing was done.
    public func serve(_ exchange: Exchange) -> Bool {
        let path = exchange.head.bytes[exchange.head.pathRange]
        if path.starts(with: "/function/".utf8) {
            call(exchange, path, prefix: Self.callPrefix)
        } else if path.starts(with: "/async-function/".utf8) {
            accept(exchange, path, prefix: Self.asyncPrefix)
        } else {
            return false
        }
        return true
    }

    /// Runs a function for the control API: the same as the HTTP trigger but for the trigger's name.
    public func invoke(_ exchange: Exchange, _ reference: FunctionReference) {
        do throws(Problem) {
            let version = try engine.resolve(reference)
            start(exchange, version, trigger: .invoke, path: Self.rootPath)
        } catch {
            exchange.answer(error)
        }
    }

    private func call(_ exchange: Exchange, _ path: ArraySlice<UInt8>, prefix: Int) {
        do throws(Problem) {
            let (version, rest) = try resolve(path, prefix: prefix)
            start(exchange, version, trigger: .http, path: rest)
        } catch {
            exchange.answer(error)
        }
    }

    private func start(
        _ exchange: Exchange, _ version: FunctionVersion, trigger: Trigger, path: ArraySlice<UInt8>
    ) {
        let id = engine.makeID()
        Conversation(exchange, engine: engine, id: id, version: version)
            .start(version, trigger: trigger, fields: Self.fields(of: exchange, path: path))
    }

    func resolve(
        _ path: ArraySlice<UInt8>, prefix: Int
    ) throws(Problem) -> (version: FunctionVersion, rest: ArraySlice<UInt8>) {
        let found: FunctionPath
        do throws(NameError) {
            found = try FunctionPath(path, prefix: prefix)
        } catch {
            throw Problem(.functionNotFound, "no function has such a name: \(error)")
        }
        let rest = path[(path.startIndex + found.restStart)...]
        let version = try engine.resolve(found.reference)
        // A project's own: called with its token through the Qinling API, and by nobody here, where none is asked for.
        if version.isHidden {
            throw Problem(.functionNotFound, "there is no function '\(found.reference.name)'")
        }
        return (version, rest.isEmpty ? Self.rootPath : rest)
    }

    /// What the worker is told of the request: our own fields first, then the caller's headers.
    public static func fields(of exchange: Exchange, path: ArraySlice<UInt8>) -> FieldList {
        let head = exchange.head
        let bytes = head.bytes
        let span = bytes.span
        var fields = FieldList()
        fields.append(name: ":method", value: span.extracting(head.methodRange))
        fields.append(name: ":path", value: path.span)
        if let query = head.queryRange { fields.append(name: ":query", value: span.extracting(query)) }
        fields.append(name: ":source", text: exchange.peer)
        fields.append(name: ":host", value: span.extracting(head.hostRange))
        fields.append(name: ":protocol", text: head.isHTTP10 ? "HTTP/1.0" : "HTTP/1.1")
        for index in 0..<head.fieldCount where head.isForwardable(field: index) {
            fields.append(
                name: span.extracting(head.nameRange(ofField: index)),
                value: span.extracting(head.valueRange(ofField: index)))
        }
        return fields
    }
}
