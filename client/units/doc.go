// Package units lets systemd run the schedules of a node: it writes a timer and a service
// for each, and keeps them up to date. It only touches its own units, whose names begin
// with rclone-gateway-backup-.
package units
