// Package redisconn configures connections to Redis for the server and the client: where
// Redis is, how to reach it, with what TLS and which user. It defines the options and
// variables, and gives advice about failures.
package redisconn
