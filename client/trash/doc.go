// Package trash implements "gatewayctl trash", which lists and restores deleted objects of
// repositories, and the commands for a repository's past. The gateway does the work.
package trash
