// Tokens that `taibai token` makes: shown once, kept as their SHA-256. Administrators only.

internal import ControlAPI
internal import HTTP
internal import Model

extension TokenResource {
    var entry: TokenEntry {
        TokenEntry(
            hash: hash, caller: Caller(project: project, isAdmin: role == "admin"),
            expiresAt: expiresMilliseconds.map(WallTime.init(milliseconds:)))
    }
}

extension QinlingDoor {
    /// Ten years.
    private static let lifetimeSecondsMax = 315_360_000
    private static let tokensMax = 10_000

    var tokenOperations: [Operation] {
        let fields = [
            Field.text("project_id", max: Tokens.projectLengthMax, isRequired: true),
            Field("role", .word(["member", "admin"])), .description,
            Field("expires_in", .whole(1...Self.lifetimeSecondsMax)),
        ]
        return [
            Operation(
                "createToken", "POST", "/v1/tokens", .admin,
                body: .json(argument: "token", fields, readOnly: ["id", "token", "created_at", "expires_at"]),
                status: 201, schema: "NewToken"
            ) { [unowned self] (request) throws(Fault) in try createToken(request) },
            Operation("listTokens", "GET", "/v1/tokens", .admin, schema: "TokenList") {
                [unowned self] (request) throws(Fault) in
                request.exchange.answer(
                    200, try Page.answer("tokens", registry.all(TokenResource.self).map(\.view), request))
            },
            Operation("revokeToken", "DELETE", "/v1/tokens/{id}", .admin, status: 204) {
                [unowned self] (request) throws(Fault) in
                guard let token = registry.tokens[request.words[0]] else { throw .missing("Token", request.words[0]) }
                // Closed before it is forgotten: a revocation must not wait for the disk.
                tokens.remove(hash: token.hash)
                var change = Registry.Change()
                change.delete(token)
                commit(change, request) { request.exchange.answerEmpty(204) }
            },
        ]
    }

    private func createToken(_ request: Request) throws(Fault) {
        let body = request.body
        guard let project = body.text("project_id") else { throw .required("project_id") }
        guard Tokens.isProject(project) else {
            throw .value("project_id", project, "Use letters, digits, '-', '_' and '.'.")
        }
        let role = body.text("role") ?? "member"
        guard registry.tokens.count < Self.tokensMax else {
            throw .refused("There are \(Self.tokensMax) tokens, the most a server keeps; revoke some.")
        }
        let secret = "tb_" + (ResourceID.make() + ResourceID.make()).filter { $0 != "-" }
        let expires = body.whole("expires_in").map { now + .seconds($0) }
        let token = TokenResource(
            id: ResourceID.make(), project: project, hash: Tokens.hash(secret), role: role,
            description: body.text("description"), expiresMilliseconds: expires?.milliseconds, times: Times(now))
        var change = Registry.Change()
        try change.put(token)
        commit(change, request) { [tokens] in
            tokens.add(token.entry)
            guard case .object(let members) = token.view else { return }
            request.exchange.answer(201, .object(members + [JSON.Member(name: "token", value: .text(secret))]))
        }
    }
}
