// Signatures of AWS's clients. The values are botocore's for AWS's own example keys.

import HTTP
import Model
import Store
import Testing

@testable import LambdaAPI

@Suite struct `A signature` {
    private let keys: SigningKeys
    private static let time = "20150830T123600Z"
    private static let scope = "20150830/us-east-1/service/aws4_request"

    init() throws {
        keys = SigningKeys(
            try AccessKeys(parsing: "AKIDEXAMPLE wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY project"))
    }

    private func authorization(_ value: String, signed: String = "host;x-amz-date") -> String {
        "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/\(Self.scope), SignedHeaders=\(signed), "
            + "Signature=\(value)"
    }

    private func verify(_ head: RequestHead, body: String = "") throws {
        let signature = try #require(try Signature(head, query: []))
        try keys.verify(head, signature, payload: Hashing.sha256Text(body.utf8))
    }

    @Test(arguments: [
        ("/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        (
            "/a/../b/./c//d%20e/hello%3Alive/",
            "48d1f45d9c9c5cc7920734133a39ccd5ce939ef9c6df329899d366c181c60dfe"
        ), ("/?a=%2F&A=b&a=%20&empty=", "09e57b0ce840bda485698a81bba524dee635a9ab8160e6c9624af3585f4d613e"),
    ])
    func `is found right for each target`(target: String, value: String) throws {
        let signed = try head(
            "GET \(target) HTTP/1.1", "Host: example.amazonaws.com", "X-Amz-Date: \(Self.time)", authorization(value))
        try verify(signed)
        let other = try head(
            "GET \(target)x HTTP/1.1", "Host: example.amazonaws.com", "X-Amz-Date: \(Self.time)",
            authorization(value))
        #expect(throws: Fault.self) { try verify(other) }
    }

    @Test func `is of headers, whatever blanks they have, and of the body`() throws {
        let value = "7670b6342466d0c4b4275687be425fd90a5378e349ca22b12aaea8797ac58326"
        let signed = "content-type;host;my-header;x-amz-date"
        func request(_ header: String) throws -> RequestHead {
            try head(
                "POST / HTTP/1.1", "Host: example.amazonaws.com", "X-Amz-Date: \(Self.time)", header,
                "Content-Type: application/x-www-form-urlencoded", authorization(value, signed: signed))
        }
        try verify(try request("My-Header:   a    b "), body: "Param1=value1")
        #expect(throws: Fault.self) { try verify(try request("My-Header: a b"), body: "Param1=value2") }
        #expect(throws: Fault.self) { try verify(try request("My-Header: ab"), body: "Param1=value1") }
        #expect(throws: Fault.self) { try verify(try request("Other: a b"), body: "Param1=value1") }
    }

    @Test(arguments: [
        (0, true), (299, true), (-299, true), (301, false), (-301, false), (86_400, false), (-86_400, false),
    ])
    func `is good for five minutes on either side`(seconds: Int, isGood: Bool) throws {
        let signed = try head(
            "GET / HTTP/1.1", "Host: a", "X-Amz-Date: \(Self.time)", authorization("x"))
        let signature = try #require(try Signature(signed, query: []))
        let now = try #require(WallTime(iso8601: "2015-08-30T12:36:00Z")) + .seconds(seconds)
        if isGood {
            #expect(throws: Never.self) { try signature.checkTime(now) }
        } else {
            #expect(throws: Fault.self) { try signature.checkTime(now) }
        }
    }

    @Test(arguments: [
        "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a", "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=h",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=x",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=, Signature=x",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host, Signature=",
        "AWS4-ECDSA-P256-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host, Signature=x",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=\(String(repeating: "a;", count: 200)), "
            + "Signature=x",
    ])
    func `that lacks a part is refused as incomplete`(header: String) throws {
        let request = try head("GET / HTTP/1.1", "Host: a", "X-Amz-Date: \(Self.time)", "Authorization: \(header)")
        let error = #expect(throws: Fault.self) { try Signature(request, query: []) }
        #expect(error?.status == 403 && error?.name == "IncompleteSignatureException")
    }

    @Test func `without the host is refused`() throws {
        let request = try head(
            "GET / HTTP/1.1", "Host: a", "X-Amz-Date: \(Self.time)", authorization("x", signed: "x-amz-date"))
        #expect(throws: Fault.self) { try verify(request) }
    }

    @Test func `is none where nobody signed`() throws {
        #expect(try Signature(try head("GET / HTTP/1.1", "Host: a", "Authorization: Bearer x"), query: []) == nil)
    }
}
