// Package moduleapi answers modules on hosts without Redis: what they must know for backups
// and restores. It also records the outcomes of their backups. A module learns only about
// itself. Requests are admitted elsewhere.
package moduleapi
