/** For suites that name both carriers case by case: a run that forces one by the environment must not choose for them. */
export function chooseCarriersHere(): void {
  const forced = process.env.SIO_RS_CARRIER;
  beforeAll(() => {
    delete process.env.SIO_RS_CARRIER;
  });
  afterAll(() => {
    if (forced !== undefined) {
      process.env.SIO_RS_CARRIER = forced;
    }
  });
}
