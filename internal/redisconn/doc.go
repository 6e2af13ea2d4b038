// Package redisconn describes a connection to Redis, for the server and the client
// alike: where Redis is, by which way, with what TLS, who connects, and what to do
// about a connection that fails. Settings are the options and variables of all that.
package redisconn
