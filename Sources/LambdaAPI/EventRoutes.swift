// What becomes of asynchronous calls: how often they are tried, how old they may become, and which function is told of
// their end. The Dispatcher does all of that; this maps AWS's words to its terms.

internal import ControlAPI
internal import HTTP
internal import Model
internal import Store

extension LambdaDoor {
    /// 0 … 2, AWS's.
    static let retriesRange = 0...2
    /// 60 s … 6 h, AWS's.
    static let ageRange = 60...21_600

    var eventOperations: [Operation] {
        let path = "/2019-09-25/functions/{name}/event-invoke-config"
        return [
            Operation("PutFunctionEventInvokeConfig", "PUT", path) { [unowned self] (request) throws(Fault) in
                try putEvents(request, keepsOthers: false)
            },
            Operation("UpdateFunctionEventInvokeConfig", "POST", path) { [unowned self] (request) throws(Fault) in
                try putEvents(request, keepsOthers: true)
            },
            Operation("GetFunctionEventInvokeConfig", "GET", path) { [unowned self] (request) throws(Fault) in
                let naming = try request.naming()
                let function = try function(having: naming, request.caller)
                let found = try events(naming, function, request.caller)
                request.answer(200, Self.view(found, naming.qualifier, function, request.caller))
            },
            Operation("DeleteFunctionEventInvokeConfig", "DELETE", path) {
                [unowned self] (request) throws(Fault) in
                let naming = try request.naming()
                var function = try function(having: naming, request.caller)
                _ = try events(naming, function, request.caller)
                function.events[naming.qualifier ?? FunctionNaming.latest] = nil
                try commit(function, request) { request.answerEmpty(204) }
            },
            Operation("ListFunctionEventInvokeConfigs", "GET", path + "/list") {
                [unowned self] (request) throws(Fault) in
                let function = try function(try request.naming(withQualifier: false), request.caller)
                let page = try Page.of(
                    function.events.sorted { $0.key < $1.key }, key: \.key, marker: request.query("Marker"),
                    max: request.query("MaxItems"))
                var members = Members()
                members.set(
                    "FunctionEventInvokeConfigs",
                    .list(page.items.map { Self.view($0.value, $0.key, function, request.caller) }))
                members.set("NextMarker", text: page.next)
                request.answer(200, members.json)
            },
        ]
    }

    private func events(
        _ naming: FunctionNaming, _ function: FunctionResource, _ caller: Caller
    ) throws(Fault) -> EventConfiguration {
        guard let found = function.events[naming.qualifier ?? FunctionNaming.latest] else {
            let arn = caller.arn(function.name, naming.qualifier ?? FunctionNaming.latest)
            throw .missing("The function \(arn) doesn't have an EventInvokeConfig")
        }
        return found
    }

    private static func view(
        _ events: EventConfiguration, _ qualifier: String?, _ function: FunctionResource, _ caller: Caller
    ) -> JSON {
        var members = Members()
        members.set("LastModified", WallTime(milliseconds: events.modifiedMilliseconds).epoch)
        members.set("FunctionArn", text: caller.arn(function.name, qualifier ?? FunctionNaming.latest))
        members.set("MaximumRetryAttempts", whole: events.retries)
        members.set("MaximumEventAgeInSeconds", whole: events.ageSeconds)
        func destination(_ arn: String?) -> JSON { arn.map { ["Destination": .text($0)] } ?? .empty }
        members.set(
            "DestinationConfig",
            ["OnSuccess": destination(events.onSuccess), "OnFailure": destination(events.onFailure)])
        return members.json
    }

    private func putEvents(_ request: Request, keepsOthers: Bool) throws(Fault) {
        let naming = try request.naming()
        var function = try function(having: naming, request.caller)
        let body = try request.body()
        let key = naming.qualifier ?? FunctionNaming.latest
        var events = EventConfiguration(modifiedMilliseconds: now.milliseconds)
        if keepsOthers {
            events = try self.events(naming, function, request.caller)
            events.modifiedMilliseconds = now.milliseconds
        }
        let retries = try body.whole("MaximumRetryAttempts", in: Self.retriesRange, as: "maximumRetryAttempts")
        let age = try body.whole("MaximumEventAgeInSeconds", in: Self.ageRange, as: "maximumEventAgeInSeconds")
        let destinations = try body.object("DestinationConfig")
        guard retries != nil || age != nil || destinations != nil else {
            throw .invalid("You must specify at least one of error handling or destination setting.")
        }
        if let retries { events.retries = retries }
        if let age { events.ageSeconds = age }
        if let destinations {
            func read(_ name: String) throws(Fault) -> String? {
                guard let arn = try destinations.object(name)?.text("Destination"), !arn.isEmpty else { return nil }
                guard destination(arn, of: function) != nil else { throw Self.noDestination(arn) }
                guard try FunctionNaming(arn, qualifier: nil, request.caller).name != function.name else {
                    throw .invalid("You can't specify the function as a destination for itself.")
                }
                return arn
            }
            events.onSuccess = try read("OnSuccess")
            events.onFailure = try read("OnFailure")
        }
        function.events[key] = events
        let changed = function
        try commit(changed, request) {
            request.answer(200, Self.view(events, naming.qualifier, changed, request.caller))
        }
    }

    static func noDestination(_ arn: String) -> Fault {
        .invalid(
            "The provided destination config DestinationConfig is invalid: '\(arn.prefix(Fault.shownMax))' is no "
                + "function of this server, which tells functions only.")
    }

    /// Where an ARN leads as the Dispatcher knows it; nil for what is no function here.
    func destination(_ arn: String, of function: FunctionResource) -> Destination? {
        let caller = Caller(project: function.project, region: Caller.defaultRegion, isProved: false)
        guard arn.hasPrefix("arn:"), let naming = try? FunctionNaming(arn, qualifier: nil, caller),
            let found = self.function(naming.name, caller), let name = found.catalogName
        else { return nil }
        var qualifier = Qualifier.latest
        if let text = naming.qualifier, text != FunctionNaming.latest {
            if let alias = found.aliases[text] {
                if let name = try? AliasName(text) {
                    qualifier = .alias(name)
                } else if let build = found.configuration(alias.version)?.build, let number = VersionNumber(build) {
                    qualifier = .version(number)
                }
            } else if let build = found.version(text)?.configuration.build, let number = VersionNumber(build) {
                qualifier = .version(number)
            } else {
                return nil
            }
        }
        return Destination(FunctionReference(name: name, qualifier: qualifier), form: .lambda)
    }
}
