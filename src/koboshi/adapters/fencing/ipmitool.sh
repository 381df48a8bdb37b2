# Stands between a fence agent and ipmitool, because the agent hands the password to ipmitool on the
# command line, where every user of the machine can read it. The agent only knows a placeholder; here
# it is taken out, and ipmitool finds the true password in its environment (-E).
#
# The agent starts it as its "sudo": sh ipmitool.sh IPMITOOL [ARGUMENT...]
IPMI_PASSWORD=$KOBOSHI_IPMI_PASSWORD
export IPMI_PASSWORD
unset KOBOSHI_IPMI_PASSWORD
left=$#
while [ "$left" -gt 0 ]; do
    left=$((left - 1))
    argument=$1
    shift
    if [ "$argument" = -P ] && [ "$left" -gt 0 ]; then
        left=$((left - 1))
        shift
        argument=-E
    fi
    set -- "$@" "$argument"
done
exec "$@"
