// What the API is, and its document.

internal import ControlAPI
internal import HTTP
internal import Model

extension QinlingDoor {
    var rootOperations: [Operation] {
        [
            Operation("versions", "GET", "/", .open, schema: "Versions") { [unowned self] request in
                request.exchange.answer(
                    200,
                    [
                        "versions": .list([
                            [
                                "id": .text("v1.0"), "status": .text("CURRENT"),
                                "links": .list([
                                    [
                                        "href": .text("\(url(request))/v1"), "target": .text("v1"),
                                        "rel": .text("self"),
                                    ]
                                ]),
                            ]
                        ])
                    ])
            },
            Operation("root", "GET", "/v1", .open, schema: "Root") { [unowned self] request in
                request.exchange.answer(200, ["uri": .text("\(url(request))/v1")])
            },
            Operation("openapi", "GET", "/v1/openapi.json", .open, schema: "Document") { [unowned self] request in
                request.exchange.answer(
                    200, OpenAPI.document(of: table, beside: control.summaries, isOpen: !tokens.areRequired))
            },
        ]
    }

    /// As the client wrote it, so that links lead where it came from.
    private func url(_ request: Request) -> String {
        let host = request.exchange.head.text(request.exchange.head.hostRange)
        return host.isEmpty ? baseURL : "http://\(host)"
    }
}
