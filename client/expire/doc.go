// Package expire lets old snapshots of a repository go, as client/retention decides: it
// asks restic for the snapshots and the gateway for their receipts, keeps from going what
// nobody can have meant, and has restic remove the rest. It is what "gatewayctl forget" and
// the retention of schedules have in common.
package expire
