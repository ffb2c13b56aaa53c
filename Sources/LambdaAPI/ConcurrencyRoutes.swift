// How many executions of a function there may be at once, and how many workers wait for them.

internal import ControlAPI
internal import Dispatcher
internal import HTTP
internal import Model
internal import Store

extension LambdaDoor {
    /// Of an account: 1,000, AWS's default. What is reserved comes out of it.
    static let accountConcurrency = 1000
    /// What has to stay for functions without a reservation, AWS's.
    static let unreservedMin = 100

    var concurrencyOperations: [Operation] {
        let old = "/2017-10-31/functions/{name}/concurrency"
        let path = "/2019-09-30/functions/{name}/"
        return [
            Operation("PutFunctionConcurrency", "PUT", old) { [unowned self] (request) throws(Fault) in
                try putConcurrency(request)
            },
            Operation("DeleteFunctionConcurrency", "DELETE", old) { [unowned self] (request) throws(Fault) in
                var function = try function(try request.naming(withQualifier: false), request.caller)
                function.reserved = nil
                let key = function.key
                try commit(function, request) { [unowned self] in
                    inFlight[key] = nil
                    request.answerEmpty(204)
                }
            },
            Operation("GetFunctionConcurrency", "GET", path + "concurrency") {
                [unowned self] (request) throws(Fault) in
                let function = try function(try request.naming(withQualifier: false), request.caller)
                var members = Members()
                members.set("ReservedConcurrentExecutions", whole: function.reserved)
                request.answer(200, members.json)
            },
            Operation("PutProvisionedConcurrencyConfig", "PUT", path + "provisioned-concurrency") {
                [unowned self] (request) throws(Fault) in try putProvisioned(request)
            },
            Operation("GetProvisionedConcurrencyConfig", "GET", path + "provisioned-concurrency") {
                [unowned self] (request) throws(Fault) in try getProvisioned(request)
            },
            Operation("DeleteProvisionedConcurrencyConfig", "DELETE", path + "provisioned-concurrency") {
                [unowned self] (request) throws(Fault) in
                let naming = try request.naming()
                var function = try function(having: naming, request.caller)
                function.provisioned[try Self.published(naming, function)] = nil
                try commit(function, request) { request.answerEmpty(204) }
            },
        ]
    }

    private func putConcurrency(_ request: Request) throws(Fault) {
        var function = try function(try request.naming(withQualifier: false), request.caller)
        let given = try request.body().whole(
            "ReservedConcurrentExecutions", in: 0...Int(Int32.max), as: "reservedConcurrentExecutions")
        guard let count = given else { throw Self.missingMember("reservedConcurrentExecutions") }
        let others = registry.functions(of: request.caller.project).filter { $0.key != function.key }
            .reduce(0) { $0 + ($1.reserved ?? 0) }
        guard Self.accountConcurrency - others - count >= Self.unreservedMin else {
            throw .invalid(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
                    + "below its minimum value of [\(Self.unreservedMin)].")
        }
        function.reserved = count
        try commit(function, request) { request.answer(200, ["ReservedConcurrentExecutions": .whole(count)]) }
    }

    // Provisioned concurrency: kept and shown. Workers here start in milliseconds, and `workersMin` keeps them.

    private static func published(_ naming: FunctionNaming, _ function: FunctionResource) throws(Fault) -> String {
        guard let qualifier = naming.qualifier else { throw missingMember("qualifier") }
        guard qualifier != FunctionNaming.latest else {
            throw .invalid("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
        }
        return qualifier
    }

    private static func view(_ provisioned: Provisioned) -> JSON {
        [
            "RequestedProvisionedConcurrentExecutions": .whole(provisioned.count),
            "AvailableProvisionedConcurrentExecutions": .whole(provisioned.count),
            "AllocatedProvisionedConcurrentExecutions": .whole(provisioned.count), "Status": .text("READY"),
            "LastModified": .text(WallTime(milliseconds: provisioned.modifiedMilliseconds).lambda),
        ]
    }

    private func putProvisioned(_ request: Request) throws(Fault) {
        let naming = try request.naming()
        var function = try function(having: naming, request.caller)
        let qualifier = try Self.published(naming, function)
        let given = try request.body().whole(
            "ProvisionedConcurrentExecutions", in: 1...Int(Int32.max), as: "provisionedConcurrentExecutions")
        guard let count = given else { throw Self.missingMember("provisionedConcurrentExecutions") }
        guard count <= function.reserved ?? Self.accountConcurrency else {
            throw .invalid(
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for "
                    + "function")
        }
        let entry = Provisioned(count: count, modifiedMilliseconds: now.milliseconds)
        function.provisioned[qualifier] = entry
        let target = try target(naming, request.caller, request.id)
        try commit(function, request) { [unowned self] in
            engine.prewarm(
                FunctionReference(name: target.version.name, qualifier: .version(target.version.number)))
            var members = Members()
            members.set("RequestedProvisionedConcurrentExecutions", whole: count)
            members.set("AllocatedProvisionedConcurrentExecutions", whole: 0)
            members.set("AvailableProvisionedConcurrentExecutions", whole: 0)
            members.set("Status", text: "IN_PROGRESS")
            members.set("LastModified", text: WallTime(milliseconds: entry.modifiedMilliseconds).lambda)
            request.answer(202, members.json)
        }
    }

    private func getProvisioned(_ request: Request) throws(Fault) {
        if request.query("List") == "ALL" { return try listProvisioned(request) }
        let naming = try request.naming()
        let function = try function(having: naming, request.caller)
        guard let found = function.provisioned[try Self.published(naming, function)] else {
            throw Fault(
                404, "ProvisionedConcurrencyConfigNotFoundException",
                "No Provisioned Concurrency Config found for this function")
        }
        request.answer(200, Self.view(found))
    }

    private func listProvisioned(_ request: Request) throws(Fault) {
        let function = try function(try request.naming(withQualifier: false), request.caller)
        let page = try Page.of(
            function.provisioned.sorted { $0.key < $1.key }, key: \.key, marker: request.query("Marker"),
            max: request.query("MaxItems"))
        let rows = page.items.map { item -> JSON in
            guard case .object(let members) = Self.view(item.value) else { return .null }
            let arn = JSON.text(request.caller.arn(function.name, item.key))
            return .object([JSON.Member(name: "FunctionArn", value: arn)] + members)
        }
        var members = Members()
        members.set("ProvisionedConcurrencyConfigs", .list(rows))
        members.set("NextMarker", text: page.next)
        request.answer(200, members.json)
    }
}
