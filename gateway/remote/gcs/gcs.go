// Package gcs links Google Cloud Storage for tests, which the curated backends lack:
// it is the one with OAuth tokens that can be told to talk to a test's own servers.
package gcs

import _ "github.com/rclone/rclone/backend/googlecloudstorage" // to be opened by its name
