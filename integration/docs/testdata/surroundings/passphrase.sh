# Somebody types the passphrase when gpg asks for one.
need gpg
mkdir -m 700 ~/.gnupg
cat >~/.gnupg/pinentry <<'END'
#!/bin/sh
echo OK
while read -r command rest; do
  case $command in
    GETPIN) printf 'D %s\nOK\n' 'tell nobody' ;;
    BYE) echo OK; exit ;;
    *) echo OK ;;
  esac
done
END
chmod 700 ~/.gnupg/pinentry
echo "pinentry-program $HOME/.gnupg/pinentry" >~/.gnupg/gpg-agent.conf
within gpg-connect-agent /bye # gpg itself waits no more than five seconds for the agent
