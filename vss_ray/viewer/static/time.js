// How a moment is written: 0:09.40.

export function format(at) {
  const hundredths = Math.round(at * 100);
  const whole = Math.floor(hundredths / 100);
  const two = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(whole % 60)}.${two(hundredths % 100)}`;
}
