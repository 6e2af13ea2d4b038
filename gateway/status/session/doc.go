// Package session keeps people logged in to the page, and guessers out. A session is a
// signed cookie: nothing of it is kept but what ended early. It ends by itself, with a
// logout, and as soon as the user's passwords change or the user is gone.
//
// It knows neither HTTP nor Redis.
package session
