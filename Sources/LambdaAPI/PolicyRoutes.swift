// Tags and policies. Policies are kept and shown: tools write them with every function, and nothing here reads them.

internal import ControlAPI
internal import HTTP
internal import Model

extension LambdaDoor {
    /// Of a policy: 20 KB, AWS's.
    static let policyBytesMax = 20 << 10

    var policyOperations: [Operation] {
        let tags = "/2017-03-31/tags/{arn}"
        let path = "/2015-03-31/functions/{name}/policy"
        return [
            Operation("ListTags", "GET", tags) { [unowned self] (request) throws(Fault) in
                let function = try tagged(request)
                request.answer(200, ["Tags": .map(function.tags)])
            },
            Operation("TagResource", "POST", tags) { [unowned self] (request) throws(Fault) in
                var function = try tagged(request)
                guard let given = try request.body().map("Tags") else { throw Self.missingMember("tags") }
                guard !given.isEmpty else { throw .invalid("Tags may not be empty.") }
                function.tags = try Self.checkedTags(function.tags.merging(given) { $1 })
                try commit(function, request) { request.answerEmpty(204) }
            },
            Operation("UntagResource", "DELETE", tags) { [unowned self] (request) throws(Fault) in
                var function = try tagged(request)
                let keys = request.query.filter { $0.name == "tagKeys" }.map(\.value)
                guard !keys.isEmpty else { throw Self.missingMember("tagKeys") }
                for key in keys { function.tags[key] = nil }
                try commit(function, request) { request.answerEmpty(204) }
            },
            Operation("AddPermission", "POST", path) { [unowned self] (request) throws(Fault) in
                try addPermission(request)
            },
            Operation("GetPolicy", "GET", path) { [unowned self] (request) throws(Fault) in
                let naming = try request.naming()
                let function = try function(having: naming, request.caller)
                let statements = function.policies[naming.qualifier ?? FunctionNaming.latest] ?? []
                guard !statements.isEmpty else { throw Self.noPolicy }
                let policy =
                    #"{"Version":"2012-10-17","Id":"default","Statement":["#
                    + statements.map(\.text).joined(separator: ",") + "]}"
                request.answer(200, ["Policy": .text(policy), "RevisionId": .text(function.live.revision)])
            },
            Operation("RemovePermission", "DELETE", path + "/{sid}") { [unowned self] (request) throws(Fault) in
                try removePermission(request)
            },
        ]
    }

    private static let noPolicy = Fault.missing("The resource you requested does not exist.")

    /// The function that an ARN names; only functions have tags.
    private func tagged(_ request: Request) throws(Fault) -> FunctionResource {
        let arn = request.words[0]
        guard arn.hasPrefix("arn:") else {
            throw .constraint("resource", arn, "satisfy regular expression pattern: arn:aws:lambda:.*:function:.*")
        }
        let naming = try FunctionNaming(arn, qualifier: nil, request.caller)
        guard naming.qualifier == nil else {
            throw .invalid("Tags on function aliases and versions are not supported. Please specify a function ARN.")
        }
        return try function(naming, request.caller)
    }

    private func addPermission(_ request: Request) throws(Fault) {
        let naming = try request.naming()
        var function = try function(having: naming, request.caller)
        let body = try request.body()
        guard let id = try body.text("StatementId") else { throw Self.missingMember("statementId") }
        guard (1...100).contains(id.utf8.count), FunctionNaming.isName(id) else {
            throw .constraint("statementId", id, "satisfy regular expression pattern: ([a-zA-Z0-9-_]+)")
        }
        guard let action = try body.text("Action") else { throw Self.missingMember("action") }
        guard action == "*" || action.hasPrefix("lambda:") else {
            throw .constraint(
                "action", action, #"satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])"#)
        }
        guard let principal = try body.text("Principal"), !principal.isEmpty else {
            throw Self.missingMember("principal")
        }
        if let revision = try body.text("RevisionId"), revision != function.live.revision { throw .outdated }
        let key = naming.qualifier ?? FunctionNaming.latest
        guard function.policies[key]?.contains(where: { $0.id == id }) != true else {
            throw .conflict(
                "The statement id (\(id)) provided already exists. Please provide a new statement id, or remove the "
                    + "existing statement.")
        }
        let text = try statement(id, action, principal, body, request.caller.arn(function.name, naming.qualifier))
        let bytes = (function.policies[key] ?? []).reduce(text.utf8.count) { $0 + $1.text.utf8.count }
        guard bytes <= Self.policyBytesMax else {
            throw Fault(
                400, "PolicyLengthExceededException",
                "The final policy size (\(bytes)) is bigger than the limit (\(Self.policyBytesMax)).")
        }
        function.policies[key, default: []].append(PolicyStatement(id: id, text: text))
        function.live.revision = makeRevision()
        try commit(function, request) { request.answer(201, ["Statement": .text(text)]) }
    }

    private func statement(
        _ id: String, _ action: String, _ principal: String, _ body: Body, _ arn: String
    ) throws(Fault) -> String {
        var members = Members()
        members.set("Sid", text: id)
        members.set("Effect", text: "Allow")
        let isService = principal.contains(".amazonaws.com")
        let isAccount = principal.utf8.count == 12 && FunctionNaming.isNumber(principal)
        let shown = isAccount ? "arn:aws:iam::\(principal):root" : principal
        members.set(
            "Principal",
            principal == "*" ? .text("*") : [isService ? "Service" : "AWS": .text(shown)])
        members.set("Action", text: action)
        members.set("Resource", text: arn)
        var condition = Members()
        if let source = try body.text("SourceArn") {
            condition.set("ArnLike", ["AWS:SourceArn": .text(source)])
        }
        var equals = Members()
        if let account = try body.text("SourceAccount") { equals.set("AWS:SourceAccount", text: account) }
        if let auth = try body.text("FunctionUrlAuthType") { equals.set("lambda:FunctionUrlAuthType", text: auth) }
        if let organisation = try body.text("PrincipalOrgID") {
            equals.set("aws:PrincipalOrgID", text: organisation)
        }
        if !equals.list.isEmpty { condition.set("StringEquals", equals.json) }
        if !condition.list.isEmpty { members.set("Condition", condition.json) }
        return members.json.written
    }

    private func removePermission(_ request: Request) throws(Fault) {
        let naming = try request.naming()
        var function = try function(having: naming, request.caller)
        if let revision = request.query("RevisionId"), revision != function.live.revision { throw .outdated }
        let key = naming.qualifier ?? FunctionNaming.latest
        var statements = function.policies[key] ?? []
        guard statements.contains(where: { $0.id == request.words[1] }) else {
            throw .missing("Statement \(request.words[1].prefix(100)) is not found in resource policy.")
        }
        statements.removeAll { $0.id == request.words[1] }
        function.policies[key] = statements.isEmpty ? nil : statements
        function.live.revision = makeRevision()
        try commit(function, request) { request.answerEmpty(204) }
    }
}
