// Projects and tokens: who may do what, on every route that the server itself names.

import Client
import Foundation
import ServerSupport
import TestSupport
import Testing

extension EndToEnd {
    @Suite struct `A project` {
        private let unknown = "00000000-0000-4000-8000-000000000001"

        private struct Route {
            let method, path: String
            let isOpen: Bool
        }

        /// Every path with every method, from the server's own document.
        private func routes(_ rig: TenantRig) throws -> [Route] {
            let document = try JSON(parsing: try rig.send("GET", "/v1/openapi.json", nil).body)
            var routes: [Route] = []
            for path in document["paths"]?.members ?? [] {
                let words = path.name.split(separator: "/").map { word -> String in
                    if word == "{number}" { return "1" }
                    return word.hasPrefix("{") ? unknown : String(word)
                }
                for operation in path.value.members ?? [] {
                    routes.append(
                        Route(
                            method: operation.name.uppercased(), path: "/" + words.joined(separator: "/"),
                            isOpen: operation.value["security"] == nil))
                }
            }
            return routes
        }

        @Test func `is asked for its token on every route`() throws {
            try TenantRig.run { rig in
                let routes = try routes(rig)
                #expect(routes.count > 50)
                for route in routes where !route.isOpen {
                    for token in [nil, "wrong-token-of-nobody", "", String(repeating: "x", count: 2000)] {
                        let answer = try rig.send(route.method, route.path, token, "{}")
                        #expect(answer.status == 401, "\(route.method) \(route.path) \(token?.prefix(30) ?? "none")")
                        #expect(!answer.text.contains("wrong-token"), "the token is repeated")
                    }
                }
                let open = routes.filter(\.isOpen).map(\.path)
                #expect(Set(open) == ["/", "/v1", "/v1/openapi.json", "/v1/webhooks/\(unknown)/invoke"])
            }
        }

        @Test func `gets 403 where only an admin may, and 404 for what is not its own`() throws {
            try TenantRig.run { rig in
                func make(_ path: String, _ body: String, key: String = "id") throws -> String {
                    let made = try rig.send("POST", path, TenantRig.blue, body)
                    try #require(made.status == 201, "\(path): \(made.text)")
                    return try #require(try JSON(parsing: made.body)[key]?.string)
                }
                let function = try make("/v1/functions", TenantRig.imageFunction)
                let target = "{\"function_id\":\"\(function)\"}"
                let alias = try make("/v1/aliases", "{\"name\":\"live\",\"function_id\":\"\(function)\"}", key: "name")
                let job = try make("/v1/jobs", "{\"pattern\":\"0 0 1 1 *\",\"function_id\":\"\(function)\"}")
                let webhook = try make("/v1/webhooks", target)
                let execution = try make("/v1/executions", target)
                let own = [
                    "/v1/functions/\(function)", "/v1/aliases/\(alias)", "/v1/jobs/\(job)", "/v1/webhooks/\(webhook)",
                    "/v1/executions/\(execution)", "/v1/functions/\(function)/versions",
                ]
                for path in own {
                    #expect(try rig.send("GET", path, TenantRig.blue).status == 200, "\(path)")
                    #expect(try rig.send("GET", path, TenantRig.admin).status == 200, "\(path)")
                    for method in ["GET", "DELETE", "PUT"] {
                        let answer = try rig.send(method, path, TenantRig.red, method == "PUT" ? "{}" : nil)
                        #expect([404, 405].contains(answer.status), "\(method) \(path): \(answer.status)")
                    }
                }
                for path in ["/v1/executions", "/v1/webhooks"] {
                    #expect(try rig.send("POST", path, TenantRig.red, target).status == 404)
                }
                for (method, path) in [
                    ("POST", "/v1/runtimes"), ("POST", "/v1/functions/\(function)/detach"),
                    ("POST", "/v1/functions/\(function)/scale_up"), ("GET", "/v1/functions/\(function)/workers"),
                    ("GET", "/v1/functions?all_projects=true"), ("GET", "/v1/tokens"), ("GET", "/v1/pools"),
                    ("GET", "/v1/secrets"),
                ] {
                    let answer = try rig.send(method, path, TenantRig.blue, method == "POST" ? #"{"count":1}"# : nil)
                    #expect(path == "/v1/runtimes" ? answer.status == 400 : answer.status == 403, "\(path)")
                }
                let lists = try [TenantRig.blue, TenantRig.red, TenantRig.admin].map { token in
                    try JSON(parsing: rig.send("GET", "/v1/functions", token).body)["functions"]?.array?.count
                }
                #expect(lists == [1, 0, 0])
                let all = try rig.send("GET", "/v1/functions?all_projects=true", TenantRig.admin)
                #expect(try JSON(parsing: all.body)["functions"]?.array?.count == 1)
                #expect(try rig.send("DELETE", "/v1/functions/\(function)", TenantRig.admin).status == 403)
            }
        }

        @Test func `gets tokens by the command line, which are kept as hashes and can be revoked`() throws {
            try TenantRig.run { rig in
                let environment: [String: String?] = ["TAIBAI_TOKEN": TenantRig.admin]
                let made = try rig.server.taibai(
                    "token", "create", "--project", "green", "--expires", "1h", environment: environment)
                try #require(made.succeeded, "\(made.errors)")
                let token = made.output.filter { !$0.isWhitespace }
                #expect(try rig.send("GET", "/v1/functions", token).status == 200)
                #expect(try rig.send("GET", "/v1/tokens", token).status == 403)

                try rig.server.restart()
                #expect(try rig.send("GET", "/v1/functions", token).status == 200)
                let data = rig.server.folder.path(of: "data")
                for name in try FileManager.default.contentsOfDirectory(atPath: data) where name.hasPrefix("taibai.db")
                {
                    let bytes = FileManager.default.contents(atPath: data + "/" + name) ?? Data()
                    #expect(bytes.range(of: Data(token.utf8)) == nil, "\(name) holds the token")
                }

                let id = try rig.server.taibai("token", "list", "-o", "name", environment: environment).output
                    .filter { !$0.isWhitespace }
                let revoked = try rig.server.taibai("token", "revoke", id, environment: environment)
                #expect(revoked.succeeded, "\(revoked.errors)")
                #expect(try rig.send("GET", "/v1/functions", token).status == 401)
                let refused = try rig.server.taibai(
                    "token", "create", "--project", "no project", environment: environment)
                #expect(refused.errors.contains("project_id"), "\(refused.errors)")
            }
        }
    }
}
