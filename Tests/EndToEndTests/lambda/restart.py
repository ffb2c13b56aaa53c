"""What is kept over a restart: called with `before`, then with `after`."""

import json
import urllib.parse
import urllib.request

from client import ROLE, client, equal, expect, main, package

SOURCE = "import os\n\ndef handler(event, context):\n    return os.environ['STEP']\n"


def before(lambdas, schedules):
    lambdas.create_function(
        FunctionName="Kept_1", Runtime="python3.11", Role=ROLE, Handler="main.handler", Publish=True,
        Code={"ZipFile": package(SOURCE)}, Environment={"Variables": {"STEP": "1"}}, Tags={"a": "b"})
    lambdas.update_function_configuration(FunctionName="Kept_1", Environment={"Variables": {"STEP": "2"}})
    lambdas.create_alias(FunctionName="Kept_1", Name="live", FunctionVersion="1")
    lambdas.create_function_url_config(FunctionName="Kept_1", AuthType="NONE", Qualifier="live")
    lambdas.put_function_concurrency(FunctionName="Kept_1", ReservedConcurrentExecutions=5)
    schedules.create_schedule(
        Name="kept", ScheduleExpression="rate(1 day)", FlexibleTimeWindow={"Mode": "OFF"}, State="DISABLED",
        Target={"Arn": "arn:aws:lambda:eu-west-1:000000000000:function:Kept_1", "RoleArn": ROLE})


def after(lambdas, schedules, url):
    def call(qualifier):
        return json.loads(lambdas.invoke(FunctionName="Kept_1", Qualifier=qualifier)["Payload"].read())

    equal((call("$LATEST"), call("1"), call("live")), ("2", "1", "1"))
    found = lambdas.get_function(FunctionName="Kept_1")
    equal((found["Tags"], found["Concurrency"]), ({"a": "b"}, {"ReservedConcurrentExecutions": 5}))
    own = lambdas.get_function_url_config(FunctionName="Kept_1", Qualifier="live")["FunctionUrl"]
    identity = urllib.parse.urlparse(own).netloc.partition(".")[0]
    with urllib.request.urlopen(f"{url}/_url/{identity}/") as answer:
        equal(answer.read(), b"1")
    expect(schedules.get_schedule(Name="kept")["State"] == "DISABLED")
    lambdas.update_function_configuration(FunctionName="Kept_1", Environment={"Variables": {"STEP": "3"}})
    equal(call("$LATEST"), "3")
    lambdas.delete_function(FunctionName="Kept_1")


def run(url, phase):
    lambdas, schedules = client("lambda", url), client("scheduler", url)
    if phase == "before":
        before(lambdas, schedules)
    else:
        after(lambdas, schedules, url)


main(run)
