// The OpenAPI 3.1 document, made from the table that serves the requests.

internal import ControlAPI
internal import Model

enum OpenAPI {
    /// - Parameter isOpen: whether no token is asked for.
    static func document(
        of operations: [Operation], beside control: [(method: String, path: [String], summary: String)], isOpen: Bool
    ) -> JSON {
        var paths: [(String, [JSON.Member])] = []
        func add(_ path: String, _ method: String, _ value: JSON) {
            let member = JSON.Member(name: method.lowercased(), value: value)
            if let place = paths.firstIndex(where: { $0.0 == path }) {
                if !paths[place].1.contains(where: { $0.name == member.name }) { paths[place].1.append(member) }
            } else {
                paths.append((path, [member]))
            }
        }
        for operation in operations {
            // One path has one name for its variable, whatever the method makes of it.
            let words = operation.path.map { $0 == "{text}" ? "{id}" : $0 }
            add("/" + words.joined(separator: "/"), operation.method, describe(operation, isOpen: isOpen))
        }
        let known = Set(paths.map { shape($0.0) })
        for route in control {
            let path = "/" + named(route.path).joined(separator: "/")
            // Where both have a path, what is described is what a client with X-Auth-Token finds.
            guard !known.contains(shape(path)) else { continue }
            add(path, route.method, describeControl(route, isOpen: isOpen))
        }
        return [
            "openapi": .text("3.1.0"),
            "info": [
                "title": .text("Taibai"), "version": .text(Release.version),
                "description": .text("Qinling's API, extended, and what only Taibai has."),
            ],
            "paths": .object(paths.map { JSON.Member(name: $0.0, value: .object($0.1)) }),
            "components": [
                "schemas": .object(Schema.all.map { JSON.Member(name: $0.name, value: $0.value) }),
                "securitySchemes": [
                    "token": ["type": .text("apiKey"), "in": .text("header"), "name": .text("X-Auth-Token")]
                ],
            ],
        ]
    }

    private static func shape(_ path: String) -> String {
        path.split(separator: "/").map { $0.hasPrefix("{") ? "*" : String($0) }.joined(separator: "/")
    }

    private static func named(_ path: [String]) -> [String] {
        var number = 0
        return path.map { part in
            guard part == "*" else { return part }
            number += 1
            return number == 1 ? "{name}" : "{name\(number)}"
        }
    }

    private static func describe(_ operation: Operation, isOpen: Bool) -> JSON {
        var members: [JSON.Member] = [JSON.Member(name: "operationId", value: .text(operation.id))]
        let parameters = pathParameters(operation.path) + queryParameters(operation)
        if !parameters.isEmpty { members.append(JSON.Member(name: "parameters", value: .list(parameters))) }
        if let body = requestBody(operation.body) { members.append(JSON.Member(name: "requestBody", value: body)) }
        members.append(JSON.Member(name: "responses", value: responses(operation)))
        if operation.access != .open, !isOpen {
            members.append(JSON.Member(name: "security", value: .list([["token": .list([])]])))
        }
        return .object(members)
    }

    private static func describeControl(
        _ route: (method: String, path: [String], summary: String), isOpen: Bool
    ) -> JSON {
        let parameters = pathParameters(named(route.path))
        let id = ([route.method.lowercased()] + route.path.map { $0 == "*" ? "x" : $0 }).joined(separator: "-")
        return [
            "operationId": .text(id), "summary": .text(route.summary), "parameters": .list(parameters),
            "responses": ["default": ["description": .text("a JSON object, or application/problem+json")]],
            "security": .list(isOpen ? [] : [["token": .list([])]]),
        ]
    }

    private static func pathParameters(_ path: [String]) -> [JSON] {
        path.filter { $0.hasPrefix("{") }.map { part in
            let schema: JSON =
                switch part {
                case "{id}", "{function}": ["type": .text("string"), "format": .text("uuid")]
                case "{number}": ["type": .text("integer"), "minimum": .whole(0), "maximum": .whole(Int(Int32.max))]
                default: ["type": .text("string"), "minLength": .whole(1)]
                }
            return [
                "name": .text(part == "{text}" ? "id" : String(part.dropFirst().dropLast())), "in": .text("path"),
                "required": .bool(true),
                "schema": schema,
            ]
        }
    }

    private static func queryParameters(_ operation: Operation) -> [JSON] {
        let names = operation.query + (operation.schema?.hasSuffix("List") == true ? Page.arguments : [])
        return names.map { name in
            let schema: JSON =
                switch name {
                case "limit": ["type": .text("integer"), "minimum": .whole(1), "maximum": .whole(Page.limitMax)]
                case "function_version": ["type": .text("integer"), "minimum": .whole(0)]
                case "marker": ["type": .text("string"), "format": .text("uuid")]
                case "sort_dirs": ["type": .text("string"), "pattern": .text("^(asc|desc)(,(asc|desc))*$")]
                case "sort_keys", "fields":
                    ["type": .text("string"), "pattern": .text(Schema.pattern(ofFieldsIn: operation.schema))]
                case "all_projects", "download": ["type": .text("boolean")]
                default: ["type": .text("string")]
                }
            return ["name": .text(name), "in": .text("query"), "required": .bool(false), "schema": schema]
        }
    }

    private static func requestBody(_ shape: BodyShape) -> JSON? {
        switch shape {
        case .none: return nil
        case .any:
            return ["required": .bool(false), "content": ["application/json": ["schema": ["type": .text("object")]]]]
        case .json(_, let fields, _):
            return [
                "required": .bool(fields.contains { $0.isRequired }),
                "content": ["application/json": ["schema": object(fields, isClosed: true)]],
            ]
        case .form(let fields):
            guard case .object(var form) = object(fields, isClosed: false) else { return nil }
            if let place = form.firstIndex(where: { $0.name == "properties" }),
                case .object(let properties) = form[place].value
            {
                let package: JSON = ["type": .text("string"), "format": .text("binary")]
                form[place] = JSON.Member(
                    name: "properties", value: .object(properties + [JSON.Member(name: "package", value: package)]))
            }
            return [
                "required": .bool(true),
                "content": [
                    "multipart/form-data": ["schema": .object(form)],
                    "application/x-www-form-urlencoded": ["schema": object(fields, isClosed: false)],
                    "application/json": ["schema": object(fields, isClosed: true)],
                ],
            ]
        }
    }

    private static func object(_ fields: [Field], isClosed: Bool) -> JSON {
        var members: [JSON.Member] = [
            JSON.Member(name: "type", value: .text("object")),
            JSON.Member(
                name: "properties",
                value: .object(
                    fields.map { JSON.Member(name: $0.name, value: schema(of: $0, orNull: isClosed && !$0.isRequired)) }
                )),
        ]
        let required = fields.filter(\.isRequired).map { JSON.text($0.name) }
        if !required.isEmpty { members.append(JSON.Member(name: "required", value: .list(required))) }
        if isClosed { members.append(JSON.Member(name: "additionalProperties", value: .bool(false))) }
        return .object(members)
    }

    private static func schema(of field: Field, orNull: Bool) -> JSON {
        func type(_ name: String) -> JSON { orNull ? .list([.text(name), .text("null")]) : .text(name) }
        switch field.kind {
        case .text(let max):
            let min = field.isRequired ? 1 : 0
            return ["type": type("string"), "minLength": .whole(min), "maxLength": .whole(max)]
        case .whole(let range):
            let allowed =
                switch field.name {
                case "cpu": FunctionResource.cpuRange
                case "memory_size": FunctionResource.memoryRange
                case "timeout": FunctionResource.timeoutRange
                default: range
                }
            return [
                "type": type("integer"), "minimum": .whole(allowed.lowerBound), "maximum": .whole(allowed.upperBound),
            ]
        case .word(let words):
            return ["enum": .list(words.map { .text($0) } + (orNull ? [.null] : []))]
        case .flag:
            let words = (Field.yes + Field.no).map { JSON.text($0) } + (orNull ? [.null] : [])
            return [
                "anyOf": .list([["type": .list([.text("boolean"), .text("integer")])], ["enum": .list(words)]])
            ]
        case .uuid: return ["type": type("string"), "format": .text("uuid")]
        case .code:
            return orNull
                ? ["type": .list([.text("string"), .text("object"), .text("null")])] : ["type": .text("string")]
        }
    }

    private static func responses(_ operation: Operation) -> JSON {
        var members: [JSON.Member] = []
        let success: JSON
        switch operation.schema {
        case nil: success = ["description": .text("done")]
        case "Log"?:
            success = [
                "description": .text("the log"), "content": ["text/plain": ["schema": ["type": .text("string")]]],
            ]
            members.append(JSON.Member(name: "204", value: ["description": .text("there is no log yet")]))
        case let name?:
            let content: JSON = ["schema": ["$ref": .text("#/components/schemas/\(name)")]]
            success =
                operation.query.contains("download")
                ? [
                    "description": .text("the object, or its package"),
                    "content": [
                        "application/json": content,
                        "application/zip": ["schema": ["type": .text("string"), "format": .text("binary")]],
                    ],
                ] : ["description": .text("done"), "content": ["application/json": content]]
        }
        members.insert(JSON.Member(name: String(operation.status), value: success), at: 0)
        let fault: JSON = [
            "description": .text("refused"),
            "content": [
                "application/json": ["schema": ["$ref": .text("#/components/schemas/Fault")]],
                // Of the control API, to clients that do not send X-Auth-Token where both have the path.
                "application/problem+json": ["schema": ["type": .text("object")]],
            ],
        ]
        members.append(JSON.Member(name: "4XX", value: fault))
        members.append(JSON.Member(name: "503", value: fault))
        return .object(members)
    }
}
