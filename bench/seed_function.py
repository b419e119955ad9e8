"""What one writes without gbearer: a POST to a Cloud Function with an ID token from a service account key.

Takes two arguments: the key file and the function's URL, which is the audience too.
"""

import sys

import requests
from google.auth.transport.requests import Request
from google.oauth2.service_account import IDTokenCredentials

key_file, url = sys.argv[1:]
credentials = IDTokenCredentials.from_service_account_file(key_file, target_audience=url)
credentials.refresh(Request())
answer = requests.post(url, headers={"Authorization": f"Bearer {credentials.token}"}, json={}, timeout=70)
answer.raise_for_status()
print(answer.status_code, answer.text)
