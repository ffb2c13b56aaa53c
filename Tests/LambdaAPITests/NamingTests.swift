// Names of functions in all their forms, access keys, pages.

import Testing

@testable import LambdaAPI

@Suite struct `A function's name` {
    private let caller = Caller(project: "default", region: "eu-west-1", isProved: true)

    @Test(
        arguments: [
            ("hello", nil, "hello", nil), ("hello:live", nil, "hello", "live"), ("hello", "7", "hello", "7"),
            ("hello:7", "7", "hello", "7"), ("hello", "", "hello", nil), ("hello:$LATEST", nil, "hello", "$LATEST"),
            ("000000000000:function:hello", nil, "hello", nil), ("function:hello:live", nil, "hello", "live"),
            ("arn:aws:lambda:us-east-1:000000000000:function:hello", nil, "hello", nil),
            ("arn:aws:lambda:us-east-1:000000000000:function:He_l-0:live", nil, "He_l-0", "live"),
        ] as [(String, String?, String, String?)])
    func `is found in each form`(text: String, given: String?, name: String, qualifier: String?) throws {
        let naming = try FunctionNaming(text, qualifier: given, caller)
        #expect(naming.name == name && naming.qualifier == qualifier)
    }

    @Test(arguments: [
        "", ":", "a b", "a/b", "a:b:c", "arn:aws:lambda:us-east-1:000000000000:function:", "a:", ":a", "ä", "a\n",
        "arn:aws:lambda:us-east-1:000000000000:layer:a", "a:$OTHER", String(repeating: "a", count: 65),
        String(repeating: "a", count: 100_000),
    ])
    func `that is none is refused`(text: String) {
        let error = #expect(throws: Fault.self) { try FunctionNaming(text, qualifier: nil, caller) }
        #expect(error?.name == "ValidationException")
        #expect((error?.text.utf8.count ?? 0) < 1000)
    }

    @Test func `of another account is refused to who proved who they are`() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:hello"
        #expect(throws: Fault.self) { try FunctionNaming(arn, qualifier: nil, caller) }
        let anybody = Caller(project: "default", region: "eu-west-1", isProved: false)
        #expect(throws: Never.self) { try FunctionNaming(arn, qualifier: nil, anybody) }
    }

    @Test func `has an account of twelve digits for every project`() {
        #expect(Caller.account(of: "default") == "000000000000")
        #expect(Caller.account(of: "123456789012") == "123456789012")
        #expect(Caller.account(of: "red") == Caller.account(of: "red"))
        #expect(Caller.account(of: "red") != Caller.account(of: "blue"))
        for project in ["red", "a", "12", ""] { #expect(Caller.account(of: project).utf8.count == 12) }
    }
}

@Suite struct `Access keys` {
    @Test func `are read from lines with comments`() throws {
        let keys = try AccessKeys(
            parsing: "# all\nAKIAONE first-secret-first-secret red # one\n\nAKIATWO\tsecond+secret/second= blue.1\n")
        #expect(keys["AKIAONE"]?.project == "red")
        #expect(keys["AKIATWO"]?.project == "blue.1")
        #expect(keys["AKIATHREE"] == nil)
    }

    @Test(arguments: [
        ("", 1), ("# none", 1), ("A secret-secret-secret", 1), ("\nA short p", 2),
        ("A secret-secret-secret p\nA secret-secret-secret q", 2), ("A/B secret-secret-secret p", 1),
        ("A secret-secret-secret p/q", 1), ("A \(String(repeating: "s", count: 300)) p", 1),
    ])
    func `that are wrong are refused with their line, and no secret is shown`(text: String, line: Int) {
        let error = #expect(throws: AccessKeyFileError.self) { try AccessKeys(parsing: text) }
        #expect(error?.line == line)
        #expect(error?.description.contains("secret-secret") == false)
    }
}

@Suite struct `A list by pages` {
    @Test func `gives everything once`() throws {
        let items = (1...7).map { "item-\($0)" }
        var seen: [String] = []
        var marker: String?
        repeat {
            let page = try Page.of(items, key: \.self, marker: marker, max: "3")
            #expect(page.items.count <= 3)
            seen += page.items
            marker = page.next
        } while marker != nil
        #expect(seen == items)
    }

    @Test(arguments: [(nil, "0"), (nil, "x"), (nil, "10001"), ("!", nil)] as [(String?, String?)])
    func `refuses what no list has given`(marker: String?, max: String?) {
        #expect(throws: Fault.self) { try Page.of(["a"], key: \.self, marker: marker, max: max) }
    }
}
