"""What one writes without gbearer: the default credentials' project and access token, by google-auth on requests."""

import google.auth
from google.auth.transport.requests import Request

credentials, project = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
credentials.refresh(Request())
print(project)
print(credentials.token)
