"""Single requests to the S3-compatible store that the AWS_* variables name: read, write and remove objects."""

import datetime
import hashlib
import hmac
import os
import urllib.error
import urllib.parse
import urllib.request


def request(method, key, body=b"", query=""):
    """The answer's body, and none where there is no such object."""
    endpoint = urllib.parse.urlparse(os.environ["AWS_ENDPOINT_URL"])
    region = os.environ["AWS_REGION"]
    now = datetime.datetime.now(datetime.timezone.utc)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    path = "/" + urllib.parse.quote(f"{os.environ['TOPSELL_TEST_BUCKET']}/{key}", safe="/-_.~")
    digest = hashlib.sha256(body).hexdigest()
    headers = {"host": endpoint.netloc, "x-amz-content-sha256": digest, "x-amz-date": stamp}
    signed = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    text = f"{method}\n{path}\n{query}\n{lines}\n{signed}\n{digest}"
    scope = f"{day}/{region}/s3/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(text.encode()).hexdigest()}"
    secret = f"AWS4{os.environ['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in (day, region, "s3", "aws4_request"):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(secret, to_sign.encode(), hashlib.sha256).hexdigest()
    credential = f"{os.environ['AWS_ACCESS_KEY_ID']}/{scope}"
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={signed}, Signature={signature}"
    )
    url = f"{os.environ['AWS_ENDPOINT_URL']}{path}{'?' + query if query else ''}"
    asked = urllib.request.Request(url, data=body or None, headers=headers, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


def read(key):
    return request("GET", key)


def write(key, body):
    request("PUT", key, body)


def remove(key):
    request("DELETE", key)
