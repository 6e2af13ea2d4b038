// Package session manages logins to the pages, and limits guessing. A session is a signed
// cookie; only sessions that were ended early are stored. A session ends after a fixed
// time, at a logout, and when the user's passwords change or the user is removed.
//
// The package knows neither HTTP nor Redis.
package session
