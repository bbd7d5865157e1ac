# Waits for the seconds of its inputs; seven are refused.
seconds=$(sed -n 's/.*"seconds": *\([0-9]*\).*/\1/p')
if [ "$seconds" = 7 ]; then
  echo '{"error": "seven is refused", "retry": false}'
  exit 1
fi
echo '{"progress": 0.5, "message": "waiting"}'
sleep "$seconds"
echo "{\"result\": {\"seconds\": $seconds}}"
