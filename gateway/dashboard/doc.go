// Package dashboard serves the status pages below /-/status, and the same facts as JSON
// below /-/api/v1: permissions, sessions, and the routes of pages. Package status computes
// the facts, and package page renders them. Of repositories, they show no more than a list
// of the snapshots reveals.
package dashboard
