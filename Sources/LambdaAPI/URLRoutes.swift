// Function URLs as they are configured. How they are served is in FunctionURL.swift.

internal import ControlAPI
internal import HTTP
internal import Model

extension LambdaDoor {
    /// 32 letters and digits, which nobody can guess: a URL without a signature is its own secret.
    static let urlIDLength = 32

    var urlOperations: [Operation] {
        let path = "/2021-10-31/functions/{name}/url"
        return [
            Operation("CreateFunctionUrlConfig", "POST", path) { [unowned self] (request) throws(Fault) in
                try createURL(request)
            },
            Operation("GetFunctionUrlConfig", "GET", path) { [unowned self] (request) throws(Fault) in
                let (function, key, url) = try url(request)
                request.answer(200, view(url, key, function, request.caller))
            },
            Operation("UpdateFunctionUrlConfig", "PUT", path) { [unowned self] (request) throws(Fault) in
                var (function, key, url) = try url(request)
                try Self.take(try request.body(), into: &url)
                url.modifiedMilliseconds = now.milliseconds
                function.urls[key] = url
                let view = view(url, key, function, request.caller)
                try commit(function, request) { request.answer(200, view) }
            },
            Operation("DeleteFunctionUrlConfig", "DELETE", path) { [unowned self] (request) throws(Fault) in
                var (function, key, _) = try url(request)
                function.urls[key] = nil
                try commit(function, request) { request.answerEmpty(204) }
            },
            Operation("ListFunctionUrlConfigs", "GET", path + "s") { [unowned self] (request) throws(Fault) in
                let function = try function(try request.naming(withQualifier: false), request.caller)
                let page = try Page.of(
                    function.urls.sorted { $0.key < $1.key }, key: \.key, marker: request.query("Marker"),
                    max: request.query("MaxItems"))
                var members = Members()
                members.set(
                    "FunctionUrlConfigs",
                    .list(page.items.map { view($0.value, $0.key, function, request.caller) }))
                members.set("NextMarker", text: page.next)
                request.answer(200, members.json)
            },
        ]
    }

    /// Under what a URL is kept: an alias, or `$LATEST`.
    private static func key(_ naming: FunctionNaming) throws(Fault) -> String {
        let key = naming.qualifier ?? FunctionNaming.latest
        guard !FunctionNaming.isNumber(key) else {
            throw .constraint(
                "qualifier", key,
                #"satisfy regular expression pattern: (^\$LATEST$)|((?!^[0-9]+$)([a-zA-Z0-9-_]+))"#)
        }
        return key
    }

    private func url(_ request: Request) throws(Fault) -> (FunctionResource, String, URLConfiguration) {
        let naming = try request.naming()
        let key = try Self.key(naming)
        let function = try function(having: naming, request.caller)
        guard let url = function.urls[key] else { throw .missing("The resource you requested does not exist.") }
        return (function, key, url)
    }

    private func createURL(_ request: Request) throws(Fault) {
        let naming = try request.naming()
        let key = try Self.key(naming)
        var function = try function(having: naming, request.caller)
        let body = try request.body()
        guard body.has("AuthType") else { throw Self.missingMember("authType") }
        guard function.urls[key] == nil else {
            throw .conflict(
                "Failed to create function url config for [functionArn = "
                    + "\(request.caller.arn(function.name, naming.qualifier))]. Error message: FunctionUrlConfig "
                    + "exists for this Lambda function")
        }
        let letters = Array("abcdefghijklmnopqrstuvwxyz234567")
        var random = SystemRandomNumberGenerator()
        let id = String((0..<Self.urlIDLength).map { _ in letters.randomElement(using: &random) ?? "a" })
        var url = URLConfiguration(
            id: id, auth: "", mode: "BUFFERED", createdMilliseconds: now.milliseconds,
            modifiedMilliseconds: now.milliseconds)
        try Self.take(body, into: &url)
        function.urls[key] = url
        let view = view(url, key, function, request.caller)
        try commit(function, request) { request.answer(201, view) }
    }

    private static func take(_ body: Body, into url: inout URLConfiguration) throws(Fault) {
        if let auth = try body.word("AuthType", of: ["AWS_IAM", "NONE"], as: "authType") { url.auth = auth }
        if let mode = try body.word("InvokeMode", of: ["BUFFERED", "RESPONSE_STREAM"], as: "invokeMode") {
            url.mode = mode
        }
        guard let given = try body.object("Cors") else { return }
        var rules = CORSRules()
        rules.credentials = try given.flag("AllowCredentials")
        rules.headers = try given.texts("AllowHeaders")
        rules.methods = try given.texts("AllowMethods")
        rules.origins = try given.texts("AllowOrigins")
        rules.exposed = try given.texts("ExposeHeaders")
        rules.maxAge = try given.whole("MaxAge", in: 0...86_400, as: "cors.maxAge")
        for list in [rules.headers, rules.origins, rules.exposed, rules.methods] {
            guard let list else { continue }
            guard list.count <= 100,
                list.allSatisfy({ (1...1024).contains($0.utf8.count) && $0.utf8.allSatisfy { $0 > 32 && $0 < 127 } })
            else { throw .invalid("A list of Cors has at most 100 items of 1 to 1024 printable characters.") }
        }
        // An object without members takes the rules away.
        url.cors = rules == CORSRules() ? nil : rules
    }

    private func view(
        _ url: URLConfiguration, _ key: String, _ function: FunctionResource, _ caller: Caller
    ) -> JSON {
        var members = Members()
        members.set("FunctionUrl", text: address(of: url))
        members.set(
            "FunctionArn", text: caller.arn(function.name, key == FunctionNaming.latest ? nil : key))
        members.set("AuthType", text: url.auth)
        if let rules = url.cors {
            var cors = Members()
            cors.set("AllowCredentials", rules.credentials.map { .bool($0) })
            cors.set("AllowHeaders", rules.headers.map { .texts($0) })
            cors.set("AllowMethods", rules.methods.map { .texts($0) })
            cors.set("AllowOrigins", rules.origins.map { .texts($0) })
            cors.set("ExposeHeaders", rules.exposed.map { .texts($0) })
            cors.set("MaxAge", whole: rules.maxAge)
            members.set("Cors", cors.json)
        }
        members.set("CreationTime", text: WallTime(milliseconds: url.createdMilliseconds).iso8601)
        members.set("LastModifiedTime", text: WallTime(milliseconds: url.modifiedMilliseconds).iso8601)
        members.set("InvokeMode", text: url.mode)
        return members.json
    }

    /// Where a URL is reached: by a host of its own on this machine, by a path from elsewhere, where nobody knows such
    /// hosts.
    private func address(of url: URLConfiguration) -> String {
        let base = facts().baseURL
        for host in ["http://localhost", "http://127.0.0.1", "http://[::1]"] where base.hasPrefix(host) {
            return "http://\(url.id).lambda-url.localhost\(base.dropFirst(host.count))/"
        }
        return "\(base)\(FunctionURL.pathPrefix)\(url.id)/"
    }
}
