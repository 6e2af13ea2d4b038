// Package rest serves the restic REST protocol, versions 1 and 2, from a
// [Store]. It knows neither Redis nor rclone nor who is calling: the caller has
// parsed the URL, judged the credentials and hands over a [Target].
package rest
