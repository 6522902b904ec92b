export async function explainInputs(_settings: object, _streams: object): Promise<0> {
  return 0;
}
