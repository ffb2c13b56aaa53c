// Services of AWS that are not here, each told in its own protocol, so that its client understands the refusal.

internal import ControlAPI
internal import HTTP
internal import Model

struct OtherService {
    let name: String

    init(_ name: String) { self.name = String(name.prefix(60)) }

    func answer(_ exchange: Exchange, _ caller: Caller, _ body: [UInt8], _ id: ExecutionID) {
        guard !exchange.isOver else { return }
        let text = "This server has no service '\(name)'; it has lambda and scheduler."
        let type = exchange.head.text(of: "content-type") ?? ""
        if exchange.head.valueRange(of: "x-amz-target") != nil {
            var headers = ResponseHeaders()
            headers.addOwn("Content-Type", "application/x-amz-json-1.1")
            headers.addOwn("x-amzn-RequestId", id.description)
            let fault: JSON = ["__type": .text("UnknownOperationException"), "message": .text(text)]
            return exchange.respond(status: 400, headers: headers, body: Array(fault.written.utf8))
        }
        guard type.hasPrefix("application/x-www-form-urlencoded") else {
            // What begins with `/` and has no form is rest-json, but for S3.
            guard name == "s3" else {
                return exchange.answer(Fault(501, "UnknownOperationException", text), id: id)
            }
            return send(exchange, 501, "<Error><Code>NotImplemented</Code><Message>\(text)</Message></Error>", id)
        }
        let action = QueryItems(body[...])["Action"]
        if name == "sts", action == "GetCallerIdentity" { return tellIdentity(exchange, caller, id) }
        send(
            exchange, 400,
            "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidAction</Code><Message>\(Self.escaped(text))"
                + "</Message></Error><RequestId>\(id)</RequestId></ErrorResponse>", id)
    }

    /// Tools ask who they are before they begin.
    private func tellIdentity(_ exchange: Exchange, _ caller: Caller, _ id: ExecutionID) {
        send(
            exchange, 200,
            #"<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>"#
                + "<Arn>arn:aws:iam::\(caller.account):user/\(Self.escaped(caller.project))</Arn>"
                + "<UserId>\(caller.account)</UserId><Account>\(caller.account)</Account></GetCallerIdentityResult>"
                + "<ResponseMetadata><RequestId>\(id)</RequestId></ResponseMetadata></GetCallerIdentityResponse>", id)
    }

    private func send(_ exchange: Exchange, _ status: Int, _ xml: String, _ id: ExecutionID) {
        var headers = ResponseHeaders()
        headers.addOwn("Content-Type", "text/xml")
        headers.addOwn("x-amzn-RequestId", id.description)
        exchange.respond(
            status: status, headers: headers, body: Array((#"<?xml version="1.0" encoding="UTF-8"?>"# + xml).utf8))
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }
}
