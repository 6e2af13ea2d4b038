// Package servers starts the servers that are compared, each as a [Contestant], and what
// they need: Redis, and S3 near by or far away. It says who calls them and reads what they
// spend; it neither sends them load nor prints a figure.
package servers
