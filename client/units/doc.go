// Package units has systemd run the schedules of a node: it writes a timer and a service for
// each, and keeps them in step. It touches no unit but its own, which begin with
// rclone-gateway-backup-.
package units
