// Package dashboard serves the status pages below /-/status and the same facts as JSON below
// /-/api/v1: who may look, sessions, and the way from a request to a page. What is shown is
// put together by package status, and drawn by package page. It knows of repositories only
// what a list of their snapshots says.
package dashboard
