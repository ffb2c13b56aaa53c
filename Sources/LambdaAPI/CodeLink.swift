// Links to packages, as GetFunction gives them: good for ten minutes, and only as they were made.

internal import ControlAPI
internal import EventLoop
internal import HTTP
internal import Model
internal import Store

enum CodeLink {
    private static let prefix = "/_lambda/code/"
    /// How long AWS's are good for.
    static let seconds: Int64 = 600

    static func digest(in path: ArraySlice<UInt8>) -> PackageDigest? {
        guard path.starts(with: prefix.utf8) else { return nil }
        return PackageDigest(String(decoding: path.dropFirst(prefix.utf8.count), as: UTF8.self))
    }

    static func url(_ digest: String, base: String, key: [UInt8], now: WallTime) -> String {
        let until = now.seconds + seconds
        return "\(base)\(prefix)\(digest)?expires=\(until)&signature=\(signature(digest, until, key))"
    }

    static func signature(_ digest: String, _ until: Int64, _ key: [UInt8]) -> String {
        Hashing.hexadecimal(Hashing.hmac(key, "\(digest) \(until)".utf8))
    }
}

extension LambdaDoor {
    func sendPackage(_ digest: PackageDigest, _ exchange: Exchange) {
        let query = QueryItems(exchange.head.queryRange.map { exchange.head.bytes[$0] } ?? [])
        guard let until = query["expires"].flatMap({ Int64($0) }), until >= now.seconds,
            let signature = query["signature"],
            Hashing.areEqual(CodeLink.signature(digest.hexadecimal, until, linkKey), signature)
        else {
            return exchange.answer(
                Fault(403, "AccessDeniedException", "The link is not one of this server's, or has expired."))
        }
        loop.background { [packages] in
            Result { () throws(Problem) in try packages.upload(of: digest) }
        } then: { result in
            guard !exchange.isOver else { return }
            switch result {
            case .failure(let problem): exchange.answer(Fault(problem))
            case .success(let bytes):
                var headers = ResponseHeaders()
                headers.addOwn("Content-Type", "application/zip")
                exchange.respond(status: 200, headers: headers, body: bytes)
            }
        }
    }
}
