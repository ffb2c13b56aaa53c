"""EventBridge Scheduler: schedules and groups through their life, what they run, and each refusal."""

import datetime
import json
import time
import urllib.request

from client import ROLE, client, equal, expect, main, package, refused

SOURCE = '''
import json

def handler(event, context):
    print("told", json.dumps(event))
    if isinstance(event, dict) and event.get("fails"):
        raise ValueError("broken")
'''
ARN = "arn:aws:lambda:eu-west-1:000000000000:function:scheduled"
SOON = datetime.timedelta(seconds=1)
OFF = {"Mode": "OFF"}


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def at(moment):
    return moment.strftime("at(%Y-%m-%dT%H:%M:%S)")


def told(url, function, wanted, count=1):
    """The records of a function's log that `wanted` accepts, once there are `count`."""
    until = time.monotonic() + 30
    found = []
    while time.monotonic() < until:
        with urllib.request.urlopen(f"{url}/v1/functions/{function}/logs?limit=1000") as answer:
            lines = [line["text"] for line in json.load(answer)["lines"]]
        found = [record for record in (json.loads(line[5:]) for line in lines if line.startswith("told "))
                 if wanted(record)]
        if len(found) >= count:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{count} did not come: {found}")


def life(schedules):
    arn = "arn:aws:scheduler:eu-west-1:000000000000:schedule/default/first"
    begins = now() + datetime.timedelta(days=1)
    made = schedules.create_schedule(
        Name="first", ScheduleExpression="cron(0 12 ? * MON-FRI *)", ScheduleExpressionTimezone="Europe/Berlin",
        FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}, Description="d", StartDate=begins,
        EndDate=begins + datetime.timedelta(days=9), State="DISABLED", ActionAfterCompletion="DELETE",
        ClientToken="token-1", Target={
            "Arn": ARN, "RoleArn": ROLE, "Input": '{"a": 1}',
            "RetryPolicy": {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 3},
            "DeadLetterConfig": {"Arn": ARN}})
    equal(made["ScheduleArn"], arn)
    found = schedules.get_schedule(Name="first")
    for name, wanted in {
            "Arn": arn, "GroupName": "default", "Name": "first", "ScheduleExpression": "cron(0 12 ? * MON-FRI *)",
            "ScheduleExpressionTimezone": "Europe/Berlin", "State": "DISABLED", "ActionAfterCompletion": "DELETE",
            "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}, "Description": "d"}.items():
        equal(found[name], wanted)
    equal(found["Target"]["RetryPolicy"], {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 3})
    equal(found["Target"]["DeadLetterConfig"], {"Arn": ARN})
    expect(abs((found["StartDate"] - begins).total_seconds()) < 1, found)
    with refused("ConflictException", 409, "already exists"):
        schedules.create_schedule(
            Name="first", ScheduleExpression="rate(1 hour)", FlexibleTimeWindow=OFF,
            Target={"Arn": ARN, "RoleArn": ROLE})
    updated = schedules.update_schedule(
        Name="first", ScheduleExpression="rate(2 hours)", FlexibleTimeWindow=OFF, Target={"Arn": ARN, "RoleArn": ROLE})
    equal(updated["ScheduleArn"], arn)
    found = schedules.get_schedule(Name="first")
    equal((found["State"], found["ScheduleExpression"], found["ActionAfterCompletion"]),
          ("ENABLED", "rate(2 hours)", "NONE"))
    expect("Description" not in found and "StartDate" not in found)
    equal(schedules.delete_schedule(Name="first")["ResponseMetadata"]["HTTPStatusCode"], 200)
    for call in (schedules.get_schedule, schedules.delete_schedule):
        with refused("ResourceNotFoundException", 404, "Schedule first does not exist."):
            call(Name="first")


def groups(schedules):
    group = schedules.create_schedule_group(Name="night", Tags=[{"Key": "a", "Value": "1"}])["ScheduleGroupArn"]
    equal(group, "arn:aws:scheduler:eu-west-1:000000000000:schedule-group/night")
    with refused("ConflictException", 409):
        schedules.create_schedule_group(Name="night")
    equal(schedules.get_schedule_group(Name="night")["State"], "ACTIVE")
    schedules.tag_resource(ResourceArn=group, Tags=[{"Key": "b", "Value": "2"}])
    schedules.untag_resource(ResourceArn=group, TagKeys=["a"])
    equal(schedules.list_tags_for_resource(ResourceArn=group)["Tags"], [{"Key": "b", "Value": "2"}])
    for index in range(3):
        schedules.create_schedule(
            Name=f"n-{index}", GroupName="night", ScheduleExpression="rate(1 day)", FlexibleTimeWindow=OFF,
            State="DISABLED", Target={"Arn": ARN, "RoleArn": ROLE})
    pages = schedules.get_paginator("list_schedules").paginate(GroupName="night", PaginationConfig={"PageSize": 2})
    equal([s["Name"] for page in pages for s in page["Schedules"]], ["n-0", "n-1", "n-2"])
    equal(len(schedules.list_schedules(NamePrefix="n-1")["Schedules"]), 1)
    equal(len(schedules.list_schedules(State="ENABLED")["Schedules"]), 0)
    names = [g["Name"] for page in schedules.get_paginator("list_schedule_groups").paginate(
        PaginationConfig={"PageSize": 1}) for g in page["ScheduleGroups"]]
    equal(names, ["default", "night"])
    schedules.delete_schedule_group(Name="night")
    for call, arguments in [(schedules.get_schedule_group, {"Name": "night"}),
                            (schedules.list_schedules, {"GroupName": "night"}),
                            (schedules.get_schedule, {"Name": "n-0", "GroupName": "night"})]:
        with refused("ResourceNotFoundException", 404):
            call(**arguments)
    equal(schedules.list_schedules()["Schedules"], [])


def refusals(schedules):
    def create(**more):
        arguments = {"Name": "wrong", "ScheduleExpression": "rate(1 hour)", "FlexibleTimeWindow": OFF,
                     "Target": {"Arn": ARN, "RoleArn": ROLE}, **more}
        schedules.create_schedule(**arguments)

    for expression in (
            "rate(0 minutes)", "rate(1 minutes)", "rate(2 minute)", "rate(5 seconds)", "rate(1.5 hours)", "every hour",
            "cron(* * * * *)", "cron(0 0 * * * *)", "cron(0 0 ? * ? *)", "cron(60 0 * * ? *)", "cron(0 0 ? * 8 *)",
            "cron(0 0 ? * 0 *)", "at(2030-01-01)", "at(2030-02-30T00:00:00)", "at(2030-01-01T00:00:00Z)", "cron()",
            "cron(0 0 32 * ? *)", "rate()", "cron(@ 0 1 * ? *)"):
        with refused("ValidationException", 400, "Invalid Schedule Expression"):
            create(ScheduleExpression=expression)
    for wrong in (
            {"ScheduleExpressionTimezone": "Mars/Olympus"}, {"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}},
            {"FlexibleTimeWindow": {"Mode": "OFF", "MaximumWindowInMinutes": 5}},
            {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 1441}},
            {"Target": {"Arn": "arn:aws:sqs:eu-west-1:000000000000:queue", "RoleArn": ROLE}},
            {"Target": {"Arn": ARN, "RoleArn": ROLE, "Input": "no json"}},
            {"Target": {"Arn": ARN, "RoleArn": ROLE, "RetryPolicy": {"MaximumRetryAttempts": 186}}},
            {"Target": {"Arn": ARN, "RoleArn": ROLE, "DeadLetterConfig": {"Arn": "arn:aws:sqs:eu-west-1:1:q"}}},
            {"State": "MAYBE"}, {"Name": "a" * 65}, {"EndDate": now() - SOON}):
        with refused("ValidationException", 400):
            create(**wrong)
    with refused("ResourceNotFoundException", 404):
        create(GroupName="nobody")


def runs(schedules, url):
    target = {"Arn": ARN, "RoleArn": ROLE}
    schedules.create_schedule(
        Name="once", ScheduleExpression=at(now() + 2 * SOON), FlexibleTimeWindow=OFF, ActionAfterCompletion="DELETE",
        Target={**target, "Input": json.dumps({"once": "<aws.scheduler.schedule-arn>",
                                               "time": "<aws.scheduler.scheduled-time>"})})
    schedules.create_schedule(
        Name="rated", ScheduleExpression="rate(1 minute)", FlexibleTimeWindow=OFF, Target=target,
        StartDate=now() + 2 * SOON)
    schedules.create_schedule(
        Name="failing", ScheduleExpression=at(now() + SOON), FlexibleTimeWindow=OFF,
        Target={**target, "Input": '{"fails": 1}', "RetryPolicy": {"MaximumRetryAttempts": 0},
                "DeadLetterConfig": {"Arn": ARN.replace("scheduled", "letters")}})
    schedules.create_schedule(
        Name="universal", ScheduleExpression=at(now() + SOON), FlexibleTimeWindow=OFF,
        Target={"Arn": "arn:aws:scheduler:::aws-sdk:lambda:invoke", "RoleArn": ROLE, "Input": json.dumps(
            {"FunctionName": "scheduled", "InvocationType": "Event", "Payload": '{"universal": 1}'})})
    schedules.create_schedule(
        Name="zoned", ScheduleExpression=at(now() + 2 * SOON + datetime.timedelta(hours=9)), FlexibleTimeWindow=OFF,
        ScheduleExpressionTimezone="Asia/Tokyo", Target={**target, "Input": '"zoned"'})
    schedules.create_schedule(
        Name="off", ScheduleExpression=at(now() + SOON), FlexibleTimeWindow=OFF, State="DISABLED",
        Target={**target, "Input": '"off"'})
    once = told(url, "scheduled", lambda record: isinstance(record, dict) and "once" in record)
    equal(once[0]["once"], "arn:aws:scheduler:eu-west-1:000000000000:schedule/default/once")
    rated = told(url, "scheduled", lambda record: isinstance(record, dict) and "detail-type" in record)
    equal(rated[0]["source"], "aws.scheduler")
    equal(rated[0]["resources"], ["arn:aws:scheduler:eu-west-1:000000000000:schedule/default/rated"])
    told(url, "scheduled", lambda record: isinstance(record, dict) and record.get("universal") == 1)
    told(url, "scheduled", lambda record: record == "zoned")
    letter = told(url, "letters", lambda record: record["requestPayload"] == {"fails": 1})
    equal(letter[0]["responsePayload"]["errorType"], "ValueError")
    with refused("ResourceNotFoundException", 404):
        schedules.get_schedule(Name="once")
    expect(not [r for r in told(url, "scheduled", lambda record: True) if r == "off"])
    for name in ("rated", "failing", "universal", "zoned", "off"):
        schedules.delete_schedule(Name=name)


def run(url, key="test", secret="test-secret-test"):
    lambdas, schedules = client("lambda", url, key, secret), client("scheduler", url, key, secret)
    for name in ("scheduled", "letters"):
        lambdas.create_function(
            FunctionName=name, Runtime="python3.11", Role=ROLE, Handler="main.handler",
            Code={"ZipFile": package(SOURCE)})
    life(schedules)
    groups(schedules)
    refusals(schedules)
    runs(schedules, url)
    for name in ("scheduled", "letters"):
        lambdas.delete_function(FunctionName=name)


main(run)
