"""What the scripts here share: clients of one server, packages, and checks that say what was wrong."""

import io
import sys
import zipfile

import boto3
import botocore.client
import botocore.exceptions

ROLE = "arn:aws:iam::000000000000:role/none"


def client(service, url, key="test", secret="test-secret-test", **options):
    config = botocore.client.Config(
        retries={"max_attempts": 0, "mode": "standard"}, connect_timeout=5, read_timeout=60, **options)
    return boto3.client(
        service, endpoint_url=url, region_name="eu-west-1", aws_access_key_id=key, aws_secret_access_key=secret,
        config=config)


def package(source, name="main.py"):
    """A ZIP file with one module."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, source)
    return file.getvalue()


def expect(condition, *what):
    if not condition:
        raise AssertionError(*what)


def equal(found, wanted):
    expect(found == wanted, f"found {found!r:.400}, wanted {wanted!r:.400}")


class refused:
    """A block in which the server must refuse: with this exception's name and status, and this in its text."""

    def __init__(self, name, status=None, text=""):
        self.name, self.status, self.text = name, status, text

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        expect(isinstance(error, botocore.exceptions.ClientError), f"{self.name} was not raised, but {error!r}")
        equal(error.response["Error"]["Code"], self.name)
        if self.status is not None:
            equal(error.response["ResponseMetadata"]["HTTPStatusCode"], self.status)
        expect(self.text in error.response["Error"]["Message"], error.response["Error"]["Message"])
        self.error = error
        return True


def main(run):
    """Runs a script with the server's URL, and says so at its end."""
    run(*sys.argv[1:])
    print("done")
