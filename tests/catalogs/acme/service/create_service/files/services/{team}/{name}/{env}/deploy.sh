#!/bin/sh
set -eu
CHANNEL={{ .metadata.slack_channel | @sh }}
exec acme-deploy --service {{ .identifier }} --announce "$CHANNEL"
