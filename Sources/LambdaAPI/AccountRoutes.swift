// What tools read before they begin: limits of the account, and settings that have one answer here.

internal import ControlAPI
internal import HTTP
internal import Model

extension LambdaDoor {
    var accountOperations: [Operation] {
        let runtime = "/2021-07-20/functions/{name}/runtime-management-config"
        let recursion = "/2024-08-31/functions/{name}/recursion-config"
        return [
            Operation("GetAccountSettings", "GET", "/2016-08-19/account-settings") {
                [unowned self] (request) throws(Fault) in answerAccount(request)
            },
            Operation(
                "GetFunctionCodeSigningConfig", "GET", "/2020-06-30/functions/{name}/code-signing-config"
            ) { [unowned self] (request) throws(Fault) in
                let function = try function(try request.naming(withQualifier: false), request.caller)
                request.answer(
                    200, ["CodeSigningConfigArn": .text(""), "FunctionName": .text(function.name)])
            },
            Operation("GetRuntimeManagementConfig", "GET", runtime) { [unowned self] (request) throws(Fault) in
                let naming = try request.naming()
                try answerRuntime(try function(having: naming, request.caller), naming, request)
            },
            Operation("PutRuntimeManagementConfig", "PUT", runtime) { [unowned self] (request) throws(Fault) in
                let naming = try request.naming()
                var function = try function(having: naming, request.caller)
                let word = try request.body().word(
                    "UpdateRuntimeOn", of: ["Auto", "Manual", "FunctionUpdate"], as: "updateRuntimeOn")
                guard let word else { throw Self.missingMember("updateRuntimeOn") }
                guard word != "Manual" else {
                    throw .invalid("This server has one version of each runtime, so it can't be chosen.")
                }
                function.updateRuntimeOn = word
                let changed = function
                try commit(changed, request) { [unowned self] in
                    do throws(Fault) { try answerRuntime(changed, naming, request) } catch { request.answer(error) }
                }
            },
            Operation("GetFunctionRecursionConfig", "GET", recursion) { [unowned self] (request) throws(Fault) in
                let function = try function(try request.naming(withQualifier: false), request.caller)
                request.answer(200, ["RecursiveLoop": .text(function.recursion)])
            },
            Operation("PutFunctionRecursionConfig", "PUT", recursion) { [unowned self] (request) throws(Fault) in
                var function = try function(try request.naming(withQualifier: false), request.caller)
                let word = try request.body().word(
                    "RecursiveLoop", of: ["Allow", "Terminate"], as: "recursiveLoop")
                guard let word else { throw Self.missingMember("recursiveLoop") }
                guard word == "Terminate" else {
                    throw .invalid("This server ends chains of calls after 16; it can't be told to let them go on.")
                }
                function.recursion = word
                try commit(function, request) { request.answer(200, ["RecursiveLoop": .text(word)]) }
            },
            empty("ListLayers", "/2018-10-31/layers", "Layers"),
            empty("ListEventSourceMappings", "/2015-03-31/event-source-mappings", "EventSourceMappings"),
            empty("ListCodeSigningConfigs", "/2020-04-22/code-signing-configs", "CodeSigningConfigs"),
        ]
    }

    /// A list of what can't be made here.
    private func empty(_ name: String, _ path: String, _ member: String) -> Operation {
        Operation(name, "GET", path) { (request) throws(Fault) in
            // GetLayerVersionByArn shares the path.
            guard request.query("find") == nil else { throw .missing("This server has no layers.") }
            request.answer(200, .object([JSON.Member(name: member, value: .list([]))]))
        }
    }

    private func answerAccount(_ request: Request) {
        let functions = registry.functions(of: request.caller.project)
        let reserved = functions.reduce(0) { $0 + ($1.reserved ?? 0) }
        let size = functions.reduce(0) { sum, function in
            function.versions.reduce(sum + function.live.codeSize) { $0 + $1.configuration.codeSize }
        }
        let limit: JSON = [
            "TotalCodeSize": .whole(quotas.package.bytes * quotas.functions),
            "CodeSizeUnzipped": .whole(262_144_000), "CodeSizeZipped": .whole(Self.packageBytesMax),
            "ConcurrentExecutions": .whole(Self.accountConcurrency),
            "UnreservedConcurrentExecutions": .whole(Self.accountConcurrency - reserved),
        ]
        let usage: JSON = ["TotalCodeSize": .whole(size), "FunctionCount": .whole(functions.count)]
        request.answer(200, ["AccountLimit": limit, "AccountUsage": usage])
    }

    private func answerRuntime(
        _ function: FunctionResource, _ naming: FunctionNaming, _ request: Request
    ) throws(Fault) {
        var members = Members()
        members.set("UpdateRuntimeOn", text: function.updateRuntimeOn)
        members.set(
            "FunctionArn", text: request.caller.arn(function.name, naming.qualifier ?? FunctionNaming.latest))
        request.answer(200, members.json)
    }
}
