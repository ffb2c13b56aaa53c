// Groups of schedules, and their tags.

internal import ControlAPI
internal import Dispatcher
internal import HTTP
internal import Model

extension LambdaDoor {
    var groupOperations: [Operation] {
        let path = "/schedule-groups/{name}"
        let tags = "/tags/{arn}"
        return [
            Operation("CreateScheduleGroup", "POST", path) { [unowned self] (request) throws(Fault) in
                try createGroup(request)
            },
            Operation("GetScheduleGroup", "GET", path) { [unowned self] (request) throws(Fault) in
                request.answer(200, Self.view(try group(request.words[0], request.caller), request.caller))
            },
            Operation("DeleteScheduleGroup", "DELETE", path) { [unowned self] (request) throws(Fault) in
                try deleteGroup(request)
            },
            Operation("ListScheduleGroups", "GET", "/schedule-groups") { [unowned self] (request) throws(Fault) in
                try listGroups(request)
            },
            Operation("ListTagsForResource", "GET", tags) { [unowned self] (request) throws(Fault) in
                let rows = try taggedGroup(request).tags.sorted { $0.key < $1.key }
                    .map { ["Key": .text($0.key), "Value": .text($0.value)] as JSON }
                request.answer(200, ["Tags": .list(rows)])
            },
            Operation("TagResource", "POST", tags) { [unowned self] (request) throws(Fault) in
                var group = try taggedGroup(request)
                group.tags = try Self.checkedTags(group.tags.merging(try Self.tags(try request.body())) { $1 })
                try keep(group, request)
            },
            Operation("UntagResource", "DELETE", tags) { [unowned self] (request) throws(Fault) in
                var group = try taggedGroup(request)
                for item in request.query where item.name == "TagKeys" { group.tags[item.value] = nil }
                try keep(group, request)
            },
        ]
    }

    private func keep(_ group: ScheduleGroup, _ request: Request) throws(Fault) {
        try registry.put(group) { fault in
            if let fault { return request.answer(fault) }
            request.answer(200, .empty)
        }
    }

    private static func arn(_ group: ScheduleGroup, _ caller: Caller) -> String {
        "arn:aws:scheduler:\(caller.region):\(caller.account):schedule-group/\(group.name)"
    }

    private static func view(_ group: ScheduleGroup, _ caller: Caller) -> JSON {
        let time = WallTime(milliseconds: group.createdMilliseconds).epoch
        return [
            "Arn": .text(arn(group, caller)), "Name": .text(group.name), "State": .text("ACTIVE"),
            "CreationDate": time, "LastModificationDate": time,
        ]
    }

    /// A group; that of those who name none is always there.
    private func group(_ name: String, _ caller: Caller) throws(Fault) -> ScheduleGroup {
        if let known = registry.groups[FunctionResource.key(caller.project, name)] { return known }
        guard name == ScheduleResource.defaultGroup else {
            throw .missing("Schedule group \(name.prefix(80)) does not exist.")
        }
        return ScheduleGroup(
            project: caller.project, name: name, tags: [:], createdMilliseconds: engine.startedAt.milliseconds)
    }

    func requireGroup(_ name: String, _ caller: Caller) throws(Fault) { _ = try group(name, caller) }

    private static func tags(_ body: Body) throws(Fault) -> [String: String] {
        guard case .list(let items) = body.value("Tags") else { return [:] }
        var tags: [String: String] = [:]
        for item in items {
            guard let key = item["Key"]?.text, let value = item["Value"]?.text else {
                throw .serialization("A tag has a Key and a Value.")
            }
            tags[key] = value
        }
        return tags
    }

    private func taggedGroup(_ request: Request) throws(Fault) -> ScheduleGroup {
        let parts = request.words[0].split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
        guard parts.count == 6, parts[2] == "scheduler", parts[5].hasPrefix("schedule-group/") else {
            throw .constraint(
                "resourceArn", request.words[0], "be the ARN of a schedule group, which alone have tags")
        }
        return try group(String(parts[5].dropFirst("schedule-group/".count)), request.caller)
    }

    private func createGroup(_ request: Request) throws(Fault) {
        let name = try Self.checkedScheduleName(request.words[0], as: "name")
        guard name != ScheduleResource.defaultGroup,
            registry.groups[FunctionResource.key(request.caller.project, name)] == nil
        else { throw Fault(409, "ConflictException", "Schedule group \(name) already exists.") }
        guard registry.groups.values.filter({ $0.project == request.caller.project }).count < quotas.others else {
            throw Fault(
                402, "ServiceQuotaExceededException",
                "The project has \(quotas.others) schedule groups, the most it may have (quota others).")
        }
        let group = ScheduleGroup(
            project: request.caller.project, name: name, tags: try Self.checkedTags(Self.tags(try request.body())),
            createdMilliseconds: now.milliseconds)
        try registry.put(group) { fault in
            if let fault { return request.answer(fault) }
            request.answer(200, ["ScheduleGroupArn": .text(Self.arn(group, request.caller))])
        }
    }

    /// Takes its schedules along.
    private func deleteGroup(_ request: Request) throws(Fault) {
        let name = request.words[0]
        guard name != ScheduleResource.defaultGroup else {
            throw Fault(400, "ValidationException", "The schedule group default can't be deleted.")
        }
        let doomed = try group(name, request.caller)
        let schedules = registry.schedules.values.filter { $0.project == doomed.project && $0.group == name }
        for schedule in schedules {
            registry.remove(schedule) { _ in
                // Should one stay, it is without a group, and goes with the next group of this name.
            }
        }
        registry.remove(doomed) { [unowned self] fault in
            if let fault { return request.answer(fault) }
            clock.arm()
            request.answer(200, .empty)
        }
    }

    private func listGroups(_ request: Request) throws(Fault) {
        let prefix = request.query("NamePrefix") ?? ""
        var rows = registry.groups.values.filter { $0.project == request.caller.project }
        rows.append(try group(ScheduleResource.defaultGroup, request.caller))
        rows = rows.filter { $0.name.hasPrefix(prefix) }.sorted { $0.name < $1.name }
        let page = try Page.of(
            rows, key: \.name, marker: request.query("NextToken"), max: request.query("MaxResults"), limit: 100,
            limitMax: 100)
        var members = Members()
        members.set("ScheduleGroups", .list(page.items.map { Self.view($0, request.caller) }))
        members.set("NextToken", text: page.next)
        request.answer(200, members.json)
    }
}
