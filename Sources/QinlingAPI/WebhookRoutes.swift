// Webhooks: secret URLs that call a function. Their id is the secret.

internal import ControlAPI
internal import HTTP
internal import Model
internal import Store

extension QinlingDoor {
    var webhookOperations: [Operation] {
        let body = BodyShape.json(
            argument: "webhook", [.function, .alias, .version, .description],
            readOnly: ["id", "project_id", "created_at", "updated_at", "webhook_url"])
        return [
            Operation("createWebhook", "POST", "/v1/webhooks", body: body, status: 201, schema: "Webhook") {
                [unowned self] (request) throws(Fault) in try createWebhook(request)
            },
            Operation(
                "listWebhooks", "GET", "/v1/webhooks", query: ["all_projects", "project_id"], schema: "WebhookList"
            ) { [unowned self] (request) throws(Fault) in
                let isShown = try request.scope()
                let rows = registry.all(WebhookResource.self).filter { isShown($0.project) }
                request.exchange.answer(
                    200, try Page.answer("webhooks", rows.map { $0.view(baseURL: baseURL) }, request))
            },
            Operation("getWebhook", "GET", "/v1/webhooks/{id}", schema: "Webhook") {
                [unowned self] (request) throws(Fault) in
                request.exchange.answer(200, try webhook(request).view(baseURL: baseURL))
            },
            Operation("updateWebhook", "PUT", "/v1/webhooks/{id}", body: body, schema: "Webhook") {
                [unowned self] (request) throws(Fault) in try updateWebhook(request)
            },
            Operation("deleteWebhook", "DELETE", "/v1/webhooks/{id}", status: 204) {
                [unowned self] (request) throws(Fault) in
                var change = Registry.Change()
                change.delete(try webhook(request))
                commit(change, request) { request.exchange.answerEmpty(204) }
            },
            Operation(
                "invokeWebhook", "POST", "/v1/webhooks/{id}/invoke", .open, body: .any, status: 202,
                schema: "WebhookCall"
            ) { [unowned self] (request) throws(Fault) in try invokeWebhook(request) },
        ]
    }

    private func webhook(_ request: Request) throws(Fault) -> WebhookResource {
        let id = request.words[0]
        guard let webhook = registry.webhooks[id],
            request.caller.isAdmin || webhook.project == request.caller.project
        else { throw .missing("Webhook", id) }
        return webhook
    }

    private func createWebhook(_ request: Request) throws(Fault) {
        guard request.body.has("function_alias") || request.body.has("function_id") else { throw Self.noFunction }
        let target = try target(request.body, in: request.caller.project)
        try requireRoom(in: registry.webhooks, request.caller.project, "webhooks")
        let webhook = WebhookResource(
            id: ResourceID.make(), project: request.caller.project,
            function: target.alias == nil ? target.function.id : nil, alias: target.alias,
            version: target.alias == nil ? target.number : nil, description: request.body.text("description"),
            times: Times(now))
        var change = Registry.Change()
        try change.put(webhook)
        commit(change, request) { [baseURL] in request.exchange.answer(201, webhook.view(baseURL: baseURL)) }
    }

    private func updateWebhook(_ request: Request) throws(Fault) {
        var webhook = try webhook(request)
        guard webhook.project == request.caller.project else { throw .missing("Webhook", webhook.id) }
        let body = request.body
        if let alias = body.text("function_alias") {
            _ = try target(body, in: webhook.project)
            (webhook.alias, webhook.function, webhook.version) = (alias, nil, nil)
        } else if body.has("function_id") || body.has("function_version") {
            guard let function = body.text("function_id") ?? webhook.function else { throw Self.noFunction }
            let number = body.whole("function_version") ?? (body.has("function_id") ? 0 : webhook.version ?? 0)
            _ = try requireTarget(function, number, in: webhook.project)
            (webhook.alias, webhook.function, webhook.version) = (nil, function, number)
        }
        if let description = body.text("description") { webhook.description = description }
        webhook.times.touch(now)
        let changed = webhook
        var change = Registry.Change()
        try change.put(changed)
        commit(change, request) { [baseURL] in request.exchange.answer(200, changed.view(baseURL: baseURL)) }
    }

    private func invokeWebhook(_ request: Request) throws(Fault) {
        let id = request.words[0]
        guard let webhook = registry.webhooks[id] else { throw .missing("Webhook", id) }
        let number: Int
        let function: FunctionResource
        if let name = webhook.alias {
            guard let alias = alias(name, in: webhook.project) else { throw .missingAlias(name) }
            number = alias.version
            function = try requireTarget(alias.function, number, in: webhook.project)
        } else {
            number = webhook.version ?? 0
            function = try requireTarget(webhook.function ?? "", number, in: webhook.project)
        }
        let order = Runner.Order(
            function: function, number: number, description: "Created by Webhook \(id)",
            input: try arguments(of: request).written,
            trigger: ExecutionID(id).map { .webhook($0) } ?? .async)
        runner.begin(order) { result in
            switch result {
            case .success(let execution):
                request.exchange.answer(202, ["execution_id": .text(execution.id.description)])
            case .failure(let fault): request.exchange.answer(fault)
            }
        }
    }

    /// Query, form and JSON object together; JSON goes before form, form before query.
    private func arguments(of request: Request) throws(Fault) -> JSON {
        var found: [String: JSON] = request.query.mapValues { .text($0) }
        let type = request.exchange.head.text(of: "content-type") ?? ""
        let kind = type.lowercased()
        if kind.hasPrefix("application/x-www-form-urlencoded") {
            for item in try Form(urlencoded: request.raw).fields { found[item.name] = .text(item.value) }
        } else if kind.hasPrefix("multipart/form-data") {
            for item in try Form(multipart: request.raw, type: type).fields { found[item.name] = .text(item.value) }
        }
        if case .object(let members) = JSON.parse(request.raw) {
            for member in members { found[member.name] = member.value }
        }
        let members = found.sorted { $0.key < $1.key }.map { JSON.Member(name: $0.key, value: $0.value) }
        let written = JSON.object(members)
        guard written.written.utf8.count <= Input.bytesMax else {
            throw Fault(413, "The arguments are larger than \(Input.bytesMax) bytes; send less.")
        }
        return written
    }
}
