// libFuzzer's way into the HTTP room: compiled together with the room's sans-IO files, see `run`.
//
// The first byte of an input says where the rest is cut; the rest is fed to the parser whole and cut. Both must say the
// same, and whatever is accepted must keep the promises that the rooms above build on.

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let start, count > 0 else { return 0 }
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    let rest = Array(input.dropFirst())
    if input[0] == UInt8.max {
        fuzzHeaders(rest)
    } else {
        let stride = Int(input[0]) + 1
        let whole = record(rest, stride: max(rest.count, 1))
        precondition(whole == record(rest, stride: stride), "cut every \(stride) bytes, the parser says otherwise")
    }
    return 0
}

/// All that the parser says, as bytes that can be compared; body pieces are joined.
private func record(_ input: [UInt8], stride: Int) -> [UInt8] {
    var parser = RequestParser()
    var (log, body): ([UInt8], [UInt8]) = ([], [])
    var start = 0
    while start < input.count {
        let piece = Array(input[start..<min(start + stride, input.count)])
        start += piece.count
        let span = piece.span
        var offset = 0
        feeding: while true {
            do throws(RequestRefusal) {
                switch try parser.next(span, from: &offset) {
                case .needMore:
                    precondition(offset == piece.count, "needMore left input over")
                    break feeding
                case .head(let head):
                    check(head)
                    log += Array("head".utf8) + head.bytes
                case .body(let range):
                    precondition(!range.isEmpty && range.upperBound <= piece.count, "a body piece lies outside")
                    body += piece[range]
                case .end:
                    log += Array("end".utf8) + body
                    body = []
                }
            } catch {
                return log + body + Array("\(error)".utf8)
            }
        }
    }
    return log + body
}

/// The promises of an accepted head.
private func check(_ head: RequestHead) {
    precondition(head.bytes.count <= HTTPLimits().headBytesMax, "a head over the limit")
    precondition(head.fieldCount <= HTTPLimits().fieldsMax, "too many fields")
    precondition(!(head.isChunked && head.contentLength != nil), "two framings")
    precondition(!head.isHTTP10 || !head.isChunked && !head.keepAlive, "HTTP/1.0 as if it were HTTP/1.1")
    var hosts = 0
    for index in 0..<head.fieldCount {
        let name = head.bytes[head.nameRange(ofField: index)]
        let value = head.bytes[head.valueRange(ofField: index)]
        precondition(!name.isEmpty, "an empty name")
        let isToken = name.allSatisfy { Byte.isToken($0) && $0 == Byte.lowercase($0) && $0 != Byte.underscore }
        precondition(isToken, "a bad name")
        precondition(value.allSatisfy { Byte.isFieldValue($0) }, "a bad value")
        let ends = [value.first, value.last]
        precondition(!ends.contains(Byte.space) && !ends.contains(Byte.tab), "an untrimmed value")
        if name.elementsEqual("host".utf8) { hosts += 1 }
    }
    precondition(hosts == 1 || hosts == 0 && head.isHTTP10, "\(hosts) hosts")
    let target = head.bytes[head.targetRange]
    precondition(target.allSatisfy { $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "#") }, "a bad target")
    let path = head.bytes[head.pathRange]
    precondition(path.isEmpty || path.first == Byte.slash || path.elementsEqual("*".utf8), "a bad path")
    precondition(!path.contains(Byte.question), "a question mark in a path")
}

/// A header that was accepted is one line, whatever its name and value were.
private func fuzzHeaders(_ input: [UInt8]) {
    guard let colon = input.firstIndex(of: Byte.colon) else { return }
    var headers = ResponseHeaders()
    let (name, value) = (Array(input[..<colon]), Array(input[(colon + 1)...]))
    let isAccepted = (try? headers.add(name.span, value.span)) != nil
    guard isAccepted, !headers.lines.isEmpty else { return }
    precondition(headers.lines.filter { $0 == 13 || $0 == 10 || $0 == 0 }.count == 2, "a header of two lines")
    precondition(headers.lines.suffix(2) == [13, 10], "a header without an end")
}
